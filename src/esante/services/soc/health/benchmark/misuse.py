"""Invented misuse, told as people do it: why somebody looks, when, how often, and how they hide it.

The scenarios are written from reports of such cases, in numbers of their own: none is taken from the terms of a
detection, and some are made to slip through (few accesses, a fake context, another account).
"""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from esante.core.storage import NIL
from esante.services.soc.health.benchmark.care import Care
from esante.services.soc.health.benchmark.country import Country, Professional, Workplace
from esante.services.soc.health.benchmark.scribe import Scribe
from esante.services.soc.health.context.people import PersonTraits

_ELSEWHERE = ("85.93.10.", "92.154.7.", "46.29.201.", "178.254.3.")


class Misuse:
    """Writes incidents on days. Each method is one incident, labelled with the detection that should find it."""

    def __init__(self, scribe: Scribe, country: Country, care: Care, rng: random.Random) -> None:
        self._scribe, self._country, self._care, self._rng = scribe, country, care, rng
        self._hospitals = country.kind("hospital")
        self._persons = [one for household in country.households for one in household]
        self._mortal = [self._persons.pop(rng.randrange(len(self._persons))) for _ in range(12)]
        for one in self._mortal:
            care.died(one.person_id)  # nobody treats them from the beginning, so nobody does after their death

    def scenarios(self) -> list[Callable[[datetime], None]]:
        """Return the scenarios that happen on a day of their own; some are more frequent."""
        return [
            *[self.curious_about_relative] * 4,
            *[self.curious_about_colleague] * 3,
            *[self.curious_about_famous] * 3,
            *[self.former_partner] * 4,
            *[self.cover_with_a_note] * 2,
            *[self.patient_of_the_ward] * 2,
            self.copy_slowly,
            *[self.look_at_oneself] * 2,
            *[self.skip_the_code] * 2,
            self.emergency_for_relative,
            *[self.fake_admission] * 3,
            *[self.leave_with_the_patients] * 2,
            *[self.walk_the_list] * 2,
            *[self.lend_the_account] * 2,
            *[self.stolen_session] * 2,
            *[self.probe_the_interface] * 2,
            self.guess_persons,
            self.copy_everything,
            *[self.bill_twice] * 2,
            *[self.bill_the_dead] * 2,
            *[self.bill_the_absent] * 2,
            self.bill_too_much,
            *[self.take_the_bait] * 2,
            *[self.look_at_the_dead] * 2,
        ]

    def curious_about_relative(self, midnight: datetime) -> None:
        """Write how somebody looks up a parent, partner or grown child who is a patient of the house."""
        user = self._somebody("nurse", "doctor", "secretary", with_family=True)
        person = self._rng.choice(self._relatives(user))
        stayed = self._rng.random() < 0.5
        if stayed:
            self._care.stay(person, user.workplace, midnight - timedelta(days=1))
        self._scribe.begin("curious about a relative", "family", user)
        for day in range(self._rng.choice((1, 1, 2, 3))):
            at = self._at(midnight + timedelta(days=day))
            self._scribe.read(user, person.person_id, at, self._rng.randint(1, 5), "institution_stay")
        self._scribe.end()

    def curious_about_colleague(self, midnight: datetime) -> None:
        """Write how a colleague is ill or expects a child, and the corridor talks about it."""
        patient = self._somebody("nurse", "doctor", "secretary", with_family=True)
        assert patient.own is not None
        if self._rng.random() < 0.6:
            self._care.stay(patient.own, patient.workplace, midnight + timedelta(hours=1))
        user = self._rng.choice([one for one in patient.workplace.staff if one is not patient])
        self._scribe.begin("curious about a colleague", "colleague", user)
        at = self._at(midnight)
        self._scribe.read(user, patient.own.person_id, at, self._rng.randint(1, 4), "institution_stay")
        self._scribe.end()

    def curious_about_famous(self, midnight: datetime) -> None:
        """Write how a known person is in hospital or in the news; people who have nothing to do with it look."""
        person = self._rng.choice(self._country.watched)
        user = self._somebody("secretary", "nurse", "physiotherapist")
        self._scribe.begin("curious about a famous person", "watched_person", user)
        self._scribe.read(user, person.person_id, self._at(midnight), self._rng.randint(1, 3), "institution_stay")
        self._scribe.end()

    def former_partner(self, midnight: datetime) -> None:
        """Write how somebody follows a former partner or neighbour, again and again; no name in common."""
        user = self._somebody("nurse", "doctor", "secretary")
        person = self._rng.choice(self._persons)
        self._scribe.begin("former partner or neighbour", "no_care_context", user)
        for day in range(0, self._rng.randint(1, 4) * 5, 5):
            at = self._at(midnight + timedelta(days=day))
            self._scribe.read(user, person.person_id, at, self._rng.randint(1, 6), "institution_stay")
        self._scribe.end()

    def cover_with_a_note(self, midnight: datetime) -> None:
        """Write how somebody looks up an acquaintance, and adds a short note so that it looks like care."""
        user = self._somebody("doctor")
        person = self._rng.choice(self._persons)
        self._scribe.begin("a note to cover it", "no_care_context", user)
        at = self._scribe.read(user, person.person_id, self._at(midnight), 3, "circle")
        self._scribe.deposit(user, person.person_id, at + timedelta(minutes=1))
        self._scribe.end()

    def patient_of_the_ward(self, midnight: datetime) -> None:
        """Write how somebody reads more than they need about a patient who really is in the house, of another ward."""
        user = self._somebody("nurse", hospital=True)
        person = self._rng.choice(self._persons)
        self._care.stay(person, user.workplace, midnight - timedelta(days=1))
        self._scribe.begin("a patient of another ward", "no_care_context", user)
        self._scribe.read(user, person.person_id, self._at(midnight), self._rng.randint(2, 7), "institution_stay")
        self._scribe.end()

    def copy_slowly(self, midnight: datetime) -> None:
        """Write how somebody copies a few records an hour, for days, so that no hour stands out."""
        user = self._somebody("doctor")
        self._scribe.begin("copying a few records an hour", "mass_reading", user)
        for day in range(4):
            for hour in range(9, 17):
                at = midnight + timedelta(days=day, hours=hour, minutes=self._rng.randint(0, 20))
                for person in self._rng.sample(self._persons, 4):
                    at = self._scribe.read(user, person.person_id, at, 1, "circle")
        self._scribe.end()

    def look_at_oneself(self, midnight: datetime) -> None:
        """Write how somebody reads their own results at work instead of in the portal."""
        user = self._somebody("nurse", "doctor", "secretary", with_family=True)
        assert user.own is not None
        self._scribe.begin("own results read at work", "own_record", user)
        kind = "institution_stay"
        self._scribe.read(user, user.own.person_id, self._at(midnight), self._rng.randint(1, 4), kind)
        self._scribe.end()

    def skip_the_code(self, midnight: datetime) -> None:
        """Write how a doctor finds emergency access handier than asking for the code, and looks without treating."""
        user = self._somebody("doctor")
        self._scribe.begin("emergency access for convenience", "break_glass", user)
        for _ in range(self._rng.randint(5, 11)):
            person = self._rng.choice(self._persons)
            at = self._at(midnight + timedelta(days=self._rng.randint(0, 9)))
            self._scribe.write("access.emergency", at, person.person_id, user, justification="invented: urgent")
            self._scribe.read(user, person.person_id, at + timedelta(minutes=1), self._rng.randint(1, 3), "emergency")
        self._scribe.end()

    def emergency_for_relative(self, midnight: datetime) -> None:
        """Write how somebody declares an emergency to look at a relative's record."""
        user = self._somebody("doctor", with_family=True)
        person = self._rng.choice(self._relatives(user))
        self._scribe.begin("emergency access for a relative", "break_glass", user)
        at = self._at(midnight)
        self._scribe.write("access.emergency", at, person.person_id, user, justification="invented: urgent")
        self._scribe.read(user, person.person_id, at + timedelta(minutes=2), 4, "emergency")
        self._scribe.end()

    def fake_admission(self, midnight: datetime) -> None:
        """Write how a stay is reported for somebody who never came, to open the record, and ended soon."""
        user = self._somebody("doctor", "secretary", "nurse", hospital=True)
        person = self._rng.choice(self._persons)
        self._scribe.begin("admission of somebody who is not there", "admission_without_care", user)
        at = self._at(midnight)
        stay_id = self._scribe.admit(person.person_id, user.workplace, at)
        self._scribe.read(
            user, person.person_id, at + timedelta(minutes=3), self._rng.randint(2, 9), "institution_stay"
        )
        ended = at + timedelta(hours=self._rng.choice((1, 2, 5, 30)))
        self._scribe.discharge(person.person_id, user.workplace, stay_id, at, ended)
        self._scribe.end()

    def leave_with_the_patients(self, midnight: datetime) -> None:
        """Write how a doctor who leaves copies the records of patients of the house over two evenings."""
        user = self._somebody("doctor")
        self._scribe.begin("copying records before leaving", "mass_reading", user)
        for day in range(2):
            at = midnight + timedelta(days=day, hours=19, minutes=self._rng.randint(0, 50))
            for person in self._rng.sample(self._persons, self._rng.randint(25, 70)):
                at = self._scribe.read(user, person.person_id, at, 1, "circle") - timedelta(seconds=40)
        self._scribe.end()

    def walk_the_list(self, midnight: datetime) -> None:
        """Write how somebody goes through the patients by name, a few dozen, slowly enough not to be many."""
        user = self._somebody("secretary", "nurse")
        start = self._rng.randint(0, len(self._persons) - 60)
        by_name = sorted(self._persons, key=lambda one: (one.family_key, one.given_key))
        self._scribe.begin("going through the list of patients", "mass_reading", user)
        at = self._at(midnight)
        for person in by_name[start : start + self._rng.randint(16, 35)]:
            if self._rng.random() < 0.9:
                at = self._scribe.read(user, person.person_id, at, 0, "circle") + timedelta(seconds=60)
        self._scribe.end()

    def lend_the_account(self, midnight: datetime) -> None:
        """Write how a doctor's account is used at the practice while they are elsewhere, both all morning."""
        user = self._somebody("doctor")
        software = "Praxis" if user.software != "Praxis" else "Medisoft"
        self._scribe.begin("one account, two people", "shared_credentials", user)
        at = midnight + timedelta(hours=9, minutes=self._rng.randint(0, 59))
        for number in range(self._rng.randint(10, 24)):
            person = self._rng.choice(self._persons)
            how = {} if number % 2 else {"origin": f"{self._rng.choice(_ELSEWHERE[:1])}44", "software": software}
            self._scribe.give_code(person.person_id, user, at - timedelta(minutes=1))
            self._scribe.read(user, person.person_id, at, 1, "presence_code", **how)
            at += timedelta(minutes=self._rng.randint(2, 8))
        self._scribe.end()

    def stolen_session(self, midnight: datetime) -> None:
        """Write how an account acts for a second organisation in another town, minutes after it acted here."""
        user = self._somebody("doctor")
        towns = [one for one in self._country.kind("practice", "hospital") if one.town != user.workplace.town]
        other = self._rng.choice(towns)
        self._scribe.begin("one account at two places", "impossible_place", user)
        at = midnight + timedelta(hours=11, minutes=self._rng.randint(0, 59))
        for number in range(self._rng.randint(5, 8)):
            person = self._rng.choice(self._persons)
            place = other if number % 2 else user.workplace
            self._scribe.give_code(person.person_id, user, at - timedelta(minutes=1))
            self._scribe.read(user, person.person_id, at, 0, "presence_code", place=place, software=place.software)
            at += timedelta(minutes=self._rng.randint(3, 9))
        self._scribe.end()

    def probe_the_interface(self, midnight: datetime) -> None:
        """Write how a stolen token is tried on records, one after another; most refuse."""
        user = self._somebody("doctor", "pharmacist")
        origin = f"{self._rng.choice(_ELSEWHERE)}{self._rng.randint(2, 250)}"
        self._scribe.begin("trying records with a stolen token", "probing", user)
        at = midnight + timedelta(hours=self._rng.randint(0, 5), minutes=self._rng.randint(0, 20))
        for person in self._rng.sample(self._persons, self._rng.randint(30, 90)):
            type_ = self._rng.choice(("record.refused", "record.clinical_refused"))
            self._scribe.write(type_, at, person.person_id, user, origin=origin, software="curl", allowed=False)
            at += timedelta(seconds=self._rng.randint(5, 25))
        self._scribe.end()

    def guess_persons(self, midnight: datetime) -> None:
        """Write how identifiers are guessed in the directory until somebody is found."""
        user = self._somebody("secretary", "pharmacist")
        self._scribe.begin("guessing identifiers", "probing", user)
        at = self._at(midnight)
        for _ in range(self._rng.randint(35, 80)):
            found = int(self._rng.random() < 0.08)
            person_id = self._rng.choice(self._persons).person_id if found else NIL
            self._scribe.write("directory.person_searched", at, person_id, user, by=("identifier",), found=found)
            at += timedelta(seconds=self._rng.randint(8, 30))
        self._scribe.end()

    def copy_everything(self, midnight: datetime) -> None:
        """Write how a program asks for everything of many patients, a page of hundreds at a time."""
        user = self._somebody("doctor")
        self._scribe.begin("copying by program", "probing", user)
        at = midnight + timedelta(hours=2)
        for person in self._rng.sample(self._persons, self._rng.randint(20, 40)):
            self._scribe.write(
                "record.clinical_searched", at, person.person_id, user, type="", count=300, grant_kind="circle"
            )
            at += timedelta(seconds=self._rng.randint(10, 60))
        self._scribe.end()

    def bill_twice(self, midnight: datetime) -> None:
        """Write how two physiotherapists bill the same treatments of the same patients."""
        one, other = self._rng.sample(self._country.kind("physiotherapy"), 2)
        first, second = self._rng.choice(one.staff), self._rng.choice(other.staff)
        self._scribe.begin("the same treatment billed twice", "note_duplicate", second)
        for person in self._rng.sample(self._persons, self._rng.randint(2, 6)):
            at = midnight + timedelta(hours=self._rng.randint(9, 17))
            self._scribe.bill(first, person.person_id, at, "P20")
            self._scribe.bill(second, person.person_id, at + timedelta(hours=2), "P20")
        self._scribe.end()

    def bill_the_dead(self, midnight: datetime) -> None:
        """Write how home visits go on being billed although the patient has died."""
        person = self._somebody_who_died(midnight - timedelta(days=self._rng.randint(4, 20)))
        user = self._rng.choice(self._country.kind("home_care")[0].staff)
        self._scribe.begin("visits to a dead patient billed", "note_deceased", user)
        for day in range(self._rng.randint(2, 5)):
            at = midnight + timedelta(days=day, hours=19)
            self._scribe.bill(user, person.person_id, at, "H9", day=at.date())
        self._scribe.end()

    def bill_the_absent(self, midnight: datetime) -> None:
        """Write how treatments at home are billed for days on which the patient was in hospital."""
        person, ends = None, midnight
        for one, _, began, ended in reversed(self._care.inpatients):
            if began + timedelta(days=2) < ended - timedelta(days=1) and ended <= midnight:
                person, ends = one, ended
                break
        if person is None:
            return
        user = self._rng.choice(self._country.kind("physiotherapy")[0].staff)
        self._scribe.begin("treatments during a hospital stay billed", "note_absent", user)
        at = midnight + timedelta(hours=18)
        self._scribe.bill(user, person.person_id, at, "P20", day=(ends - timedelta(days=1)).date())
        self._scribe.end()

    def bill_too_much(self, midnight: datetime) -> None:
        """Write how a day has more acts than hours."""
        user = self._somebody_billing()
        self._scribe.begin("more acts than a day holds", "note_volume", user)
        for person in self._rng.sample(self._persons, self._rng.randint(70, 110)):
            at = midnight + timedelta(hours=20, minutes=self._rng.randint(0, 50))
            self._scribe.bill(user, person.person_id, at, "C1", quantity=self._rng.choice((1, 1, 2)))
        self._scribe.end()

    def take_the_bait(self, midnight: datetime) -> None:
        """Write how somebody who looks around opens a person who does not exist."""
        user = self._somebody("doctor", "nurse")
        person = self._rng.choice(self._country.invented)
        self._scribe.begin("an invented person opened", "invented_record", user)
        at = self._at(midnight)
        self._scribe.write("directory.person_searched", at, person.person_id, user, by=("family",), found=1)
        self._scribe.read(user, person.person_id, at + timedelta(minutes=1), 1, "circle")
        self._scribe.end()

    def look_at_the_dead(self, midnight: datetime) -> None:
        """Write how somebody looks at the record of a person long after the death, for an inheritance or a story."""
        person = self._somebody_who_died(midnight - timedelta(days=self._rng.randint(25, 60)))
        user = self._somebody("nurse", "doctor", "secretary")
        self._scribe.begin("reading the record of a dead person", "after_death", user)
        if self._rng.random() < 0.5:
            self._scribe.read(user, person.person_id, self._at(midnight), 2, "institution_stay")
        else:
            self._scribe.write("record.refused", self._at(midnight), person.person_id, user, allowed=False)
        self._scribe.end()

    def _somebody(self, *professions: str, with_family: bool = False, hospital: bool = False) -> Professional:
        found = [
            one
            for one in self._country.professionals
            if one.profession in professions
            and one.workplace.kind in (("hospital",) if hospital else ("hospital", "practice"))
            and (not with_family or (one.own is not None and self._relatives(one)))
        ]
        return self._rng.choice(found)

    def _somebody_billing(self) -> Professional:
        places: list[Workplace] = self._country.kind("dentist", "practice")
        return self._rng.choice([user for place in places for user in place.of("doctor", "dentist")])

    def _relatives(self, user: Professional) -> list[PersonTraits]:
        """Return who lives with a professional."""
        own = user.own
        if own is None:
            return []
        home = next(one for one in self._country.households if own in one)
        return [one for one in home if one.person_id != own.person_id]

    def _somebody_who_died(self, at: datetime) -> PersonTraits:
        person = self._mortal.pop()
        self._country.report_death(person.person_id, at)
        self._scribe.write("directory.person_deceased", at + timedelta(days=1), person.person_id, at=at)
        return replace(person, deceased_at=at)

    def _at(self, midnight: datetime) -> datetime:
        """Return a moment of a shift, at night too."""
        return midnight + timedelta(
            hours=self._rng.choice((2, 9, 11, 13, 15, 20, 22)), minutes=self._rng.randint(0, 59)
        )
