"""Ordinary care in the synthetic country, with what looks strange and is not: the hard negatives.

Relief doctors, night shifts, large laboratories, home visits with a telephone, second opinions, quality reviews,
patients opened by mistake, treatment of relatives and colleagues, famous patients who are really ill.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from esante.services.soc.health.benchmark.country import Country, Professional, Workplace
from esante.services.soc.health.benchmark.scribe import Scribe
from esante.services.soc.health.context.people import PersonTraits


class Care:
    """Writes the care of days."""

    def __init__(self, scribe: Scribe, country: Country, rng: random.Random) -> None:
        self._scribe, self._country, self._rng = scribe, country, rng
        self._persons = [one for household in country.households for one in household]
        self._hospitals, self._laboratories = country.kind("hospital"), country.kind("laboratory")
        self._dead: set[UUID] = set()
        self.inpatients: list[tuple[PersonTraits, Workplace, datetime, datetime]] = []
        """The stays, with their ends, for scenarios that need one."""
        self._away: set[UUID] = set()
        self._clients = {}
        for kind in ("home_care", "physiotherapy", "pharmacy"):
            drawn = iter(rng.sample(self._persons, len(self._persons)))  # nobody is a client of two of a kind
            for place in country.kind(kind):
                self._clients[place.id] = [next(drawn) for _ in range(40)]

    def died(self, person_id: UUID) -> None:
        """Let nobody treat a person any more."""
        self._dead.add(person_id)
        self._persons = [one for one in self._persons if one.person_id != person_id]

    def history(self, start: datetime) -> None:
        """Write what was before: most persons have been at their practice within the last year."""
        for person in self._persons:
            practice = self._country.doctor_of[person.person_id]
            if self._rng.random() < 0.75:
                at = start - timedelta(days=self._rng.randint(5, 330), hours=self._rng.randint(0, 8))
                self._scribe.deposit(self._rng.choice(practice.of("doctor")), person.person_id, at)

    def day(self, midnight: datetime) -> None:
        """Write one day."""
        self._scribe.write("platform.observed", midnight, requests=1, errors=0, p95_ms=1, seconds_up=1)
        self._away.clear()
        working = midnight.weekday() < 5
        for practice in self._country.kind("practice", "dentist"):
            if working:
                self._practice(practice, midnight)
        for place in self._country.kind("home_care", "physiotherapy"):
            self._rounds(place, midnight, working=working)
        for place in self._country.kind("pharmacy"):
            if working:
                self._pharmacy(place, midnight)
        for hospital in self._hospitals:
            self._admissions(hospital, midnight)
            self._wards(hospital, midnight)
            self._emergencies(hospital, midnight)
        if working:
            self._unusual(midnight)

    def _alive(self, persons: Sequence[PersonTraits]) -> list[PersonTraits]:
        return [one for one in persons if one.person_id not in self._dead]

    def _practice(self, practice: Workplace, midnight: datetime) -> None:
        own = [one for one in self._persons if self._country.doctor_of[one.person_id] is practice]
        for doctor in practice.of("doctor", "dentist"):
            relief = self._rng.random() < 0.03
            user = self._relief(practice, doctor) if relief else doctor
            for at in self._slots(midnight + timedelta(hours=8), 9, self._rng.randint(8, 14)):
                person = self._rng.choice(self._alive(own) or self._persons)
                self._consult(user, practice, person, at)

    def _relief(self, practice: Workplace, doctor: Professional) -> Professional:
        """Return a doctor of a hospital who stands in, and works at the practice, with its software, for the day."""
        found = self._rng.choice(self._rng.choice(self._hospitals).of("doctor"))
        self._away.add(found.id)
        return Professional(
            id=found.id,
            name=found.name,
            profession=found.profession,
            workplace=practice,
            own=found.own,
            network=practice.network,
            software=practice.software,
        )

    def _consult(self, user: Professional, practice: Workplace, person: PersonTraits, at: datetime) -> None:
        scribe, chance = self._scribe, self._rng.random
        if chance() < 0.7:
            scribe.give_code(person.person_id, user, at)
            kind = "presence_code"
        else:
            kind = "circle"
        if chance() < 0.15 and practice.of("secretary"):
            scribe.read(practice.of("secretary")[0], person.person_id, at - timedelta(minutes=5), 0, "circle")
        done = scribe.read(user, person.person_id, at, self._rng.randint(0, 4), kind)
        if chance() < 0.55:
            scribe.deposit(user, person.person_id, done + timedelta(minutes=2))
        if chance() < 0.85:
            scribe.bill(user, person.person_id, done + timedelta(minutes=4), self._code(practice))
        if chance() < 0.35:
            self._blood(person, at + timedelta(hours=self._rng.randint(20, 60)))

    def _code(self, practice: Workplace) -> str:
        codes = ("D11", "D20", "D32") if practice.kind == "dentist" else ("C1", "C2", "C7")
        return self._rng.choice(codes)

    def _blood(self, person: PersonTraits, at: datetime) -> None:
        """Write the results of a laboratory, which posts many in the morning and looks at earlier ones first."""
        laboratory = self._rng.choice(self._laboratories)
        at = at.replace(hour=self._rng.choice((6, 7, 7, 8, 11)), minute=self._rng.randint(0, 59))
        user = self._rng.choice(laboratory.of("biologist"))
        if self._rng.random() < 0.6:
            at = self._scribe.read(user, person.person_id, at, 1, "circle")
        self._scribe.deposit(user, person.person_id, at)
        self._scribe.bill(user, person.person_id, at + timedelta(hours=3), f"L{self._rng.randint(10, 60)}")

    def _rounds(self, place: Workplace, midnight: datetime, *, working: bool) -> None:
        """Write home visits and treatments in series; on the way with a telephone, whose network changes."""
        clients = self._alive(self._clients[place.id])
        for user in place.staff if working else place.staff[: len(place.staff) // 3]:
            mobile = place.kind == "home_care"
            for person, at in zip(
                self._rng.sample(clients, min(7, len(clients))),
                self._slots(midnight + timedelta(hours=7), 8, 7),
                strict=False,
            ):
                origin = f"172.{self._rng.randint(16, 19)}.{self._rng.randint(0, 40)}.9" if mobile else ""
                software = "Tournée" if mobile else None
                self._scribe.read(user, person.person_id, at, 1, "circle", origin=origin, software=software)
                if self._rng.random() < 0.5:
                    self._scribe.deposit(
                        user, person.person_id, at + timedelta(minutes=20), origin=origin, software=software
                    )
                if self._rng.random() < 0.8:
                    self._scribe.bill(
                        user, person.person_id, midnight + timedelta(hours=19), f"{place.kind[:1].upper()}9"
                    )

    def _pharmacy(self, place: Workplace, midnight: datetime) -> None:
        for at in self._slots(midnight + timedelta(hours=8), 10, 12):
            person = self._rng.choice(self._alive(self._clients[place.id]))
            user = self._rng.choice(place.staff)
            self._scribe.give_code(person.person_id, user, at, 1)
            self._scribe.read(user, person.person_id, at + timedelta(minutes=1), 1, "presence_code")

    def _doctors(self, hospital: Workplace) -> list[Professional]:
        """Return the doctors of a hospital who do not stand in elsewhere today."""
        return [one for one in hospital.of("doctor") if one.id not in self._away]

    def _admissions(self, hospital: Workplace, midnight: datetime) -> None:
        for at in self._slots(midnight + timedelta(hours=7), 12, self._rng.randint(4, 8)):
            self.stay(self._rng.choice(self._alive(self._persons)), hospital, at)

    def stay(self, person: PersonTraits, hospital: Workplace, at: datetime) -> datetime:
        """Write a stay with its admission and discharge; return its end. The wards write the care of its days."""
        ends = at + timedelta(days=self._rng.choice((1, 1, 2, 3, 4, 6, 9, 14)), hours=self._rng.randint(0, 5))
        stay_id = self._scribe.admit(person.person_id, hospital, at)
        if self._rng.random() < 0.7:
            self._scribe.prove(person.person_id, hospital, stay_id, at + timedelta(minutes=30))
        if self._rng.random() < 0.95:
            self._scribe.discharge(person.person_id, hospital, stay_id, at, ends)
        self.inpatients.append((person, hospital, at, ends))
        team = self._rng.sample(self._doctors(hospital), 2)
        self._scribe.read(
            team[0], person.person_id, at + timedelta(hours=1), self._rng.randint(1, 6), "institution_stay"
        )
        if self._rng.random() < 0.92:
            self._scribe.deposit(team[0], person.person_id, at + timedelta(hours=3))
            self._scribe.deposit(team[1], person.person_id, ends + timedelta(hours=self._rng.randint(1, 60)))
        return ends

    def _wards(self, hospital: Workplace, midnight: datetime) -> None:
        """Write what the wards read, day and night, in the order of their lists; some of it is documented."""
        present = [one[0] for one in self.inpatients if one[1] is hospital and one[2] <= midnight <= one[3]]
        if not present:
            return
        for start in (6, 14, 22):
            shift = self._rng.sample(hospital.of("nurse"), 9)
            for number, nurse in enumerate(shift):
                ward = sorted(present[number::9], key=lambda one: (one.family_key, one.given_key))
                at = midnight + timedelta(hours=start, minutes=self._rng.randint(0, 40))
                for person in ward:
                    at = self._scribe.read(nurse, person.person_id, at, 1, "institution_stay")
                    if self._rng.random() < 0.4:
                        self._scribe.deposit(nurse, person.person_id, at)
        pharmacist = self._rng.choice(hospital.of("pharmacist"))
        at = midnight + timedelta(hours=9)
        for person in self._rng.sample(present, min(len(present), 24)):
            at = self._scribe.read(pharmacist, person.person_id, at, 1, "institution_stay")

    def _emergencies(self, hospital: Workplace, midnight: datetime) -> None:
        """Write emergencies: the record is opened first, the stay reported later, the letter written at the end."""
        for at in self._slots(midnight, 24, self._rng.randint(0, 3)):
            person, user = self._rng.choice(self._alive(self._persons)), self._rng.choice(self._doctors(hospital)[:8])
            self._scribe.write("access.emergency", at, person.person_id, user, justification="invented: unconscious")
            self._scribe.read(user, person.person_id, at + timedelta(minutes=1), self._rng.randint(1, 5), "emergency")
            if self._rng.random() < 0.9:
                self.stay(person, hospital, at + timedelta(hours=1))

    def _unusual(self, midnight: datetime) -> None:
        """Write what is strange and legitimate."""
        for at in self._slots(midnight + timedelta(hours=9), 8, self._rng.randint(2, 5)):
            person = self._rng.choice(self._alive(self._persons))
            user = self._rng.choice(self._rng.choice(self._country.kind("practice")).of("doctor"))
            self._scribe.read(user, person.person_id, at, 0, "circle")  # the wrong patient, closed at once
        for doctor in self._rng.sample(self._doctors(self._rng.choice(self._hospitals)), 2):
            person = self._rng.choice(self._alive(self._persons))  # a second opinion, by a code
            at = midnight + timedelta(hours=self._rng.randint(10, 17))
            self._scribe.give_code(person.person_id, doctor, at)
            self._scribe.read(doctor, person.person_id, at + timedelta(minutes=9), 6, "presence_code")
        if self._rng.random() < 0.3:
            person = self._rng.choice(self._alive(self._persons))  # two consultations on one day, really
            for practice, hours in zip(self._rng.sample(self._country.kind("practice"), 2), (9, 16), strict=True):
                self._consult(practice.of("doctor")[0], practice, person, midnight + timedelta(hours=hours))
        if midnight.weekday() == 2:
            self._quality_review(midnight)
        if self._rng.random() < 0.25:
            self._treat_relative(midnight)
        if self._rng.random() < 0.2:
            self._treat_colleague(midnight)
        if self._rng.random() < 0.06:
            self.stay(
                self._rng.choice(self._country.watched),
                self._rng.choice(self._hospitals),
                midnight + timedelta(hours=11),
            )
        if self._rng.random() < 0.5:
            self._mistype(midnight)

    def _quality_review(self, midnight: datetime) -> None:
        """Write a doctor's review of the last stays of a hospital, many in an hour."""
        hospital = self._rng.choice(self._hospitals)
        recent = [
            one[0]
            for one in self.inpatients
            if one[1] is hospital and one[3] <= midnight <= one[3] + timedelta(days=12)
        ]
        at = midnight + timedelta(hours=15)
        for person in recent[:25]:
            at = self._scribe.read(self._doctors(hospital)[-1], person.person_id, at, 1, "institution_stay")

    def _treat_relative(self, midnight: datetime) -> None:
        """Write the treatment of a relative, which nothing forbids and which is documented."""
        doctors = [one for one in self._country.professionals if one.profession == "doctor" and one.own is not None]
        user = self._rng.choice(doctors)
        relatives = [
            one for home in self._country.households for one in home if user.own and one.home == user.own.home
        ]
        person, at = self._rng.choice(relatives), midnight + timedelta(hours=18)
        self._scribe.read(user, person.person_id, at, 2, "circle")
        self._scribe.deposit(user, person.person_id, at + timedelta(minutes=25))

    def _treat_colleague(self, midnight: datetime) -> None:
        staff = [one for one in self._rng.choice(self._hospitals).staff if one.own is not None]
        patient = self._rng.choice(staff)
        if patient.own is not None and patient.own.person_id not in self._dead:
            self.stay(patient.own, patient.workplace, midnight + timedelta(hours=8))

    def _mistype(self, midnight: datetime) -> None:
        """Write searches that find nobody: a number with a wrong digit, a name as it is spoken."""
        practice = self._rng.choice(self._country.kind("practice"))
        user, at = self._rng.choice(practice.staff), midnight + timedelta(hours=10)
        for _ in range(self._rng.randint(1, 6)):
            at += timedelta(minutes=1)
            self._scribe.write("directory.person_searched", at, user=user, by=("identifier",), found=0)

    def _slots(self, start: datetime, hours: int, count: int) -> Iterator[datetime]:
        moments = sorted(self._rng.uniform(0, hours * 3600) for _ in range(count))
        return (start + timedelta(seconds=round(moment)) for moment in moments)
