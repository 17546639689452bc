"""One person's care as it is being told: who treats her, in which language it is written, on what paper."""

import random
from dataclasses import dataclass
from datetime import date, datetime

from esante.demo.data_tables import word
from esante.demo.documents.laboratory import Laboratory
from esante.demo.model import Citizen, Paper, Section, World
from esante.demo.seeded_random import moment, one, stream
from esante.identity.directory import Organization, Practitioner

TYPES = {
    "summary": "60591-5",
    "discharge": "18842-5",
    "consultation": "11488-4",
    "radiotherapy": "11488-4",
    "laboratory": "11502-2",
    "imaging": "18748-4",
    "operation": "11504-8",
    "prescription": "57833-6",
    "vaccination": "11369-6",
    "letter": "51852-2",
    "directive": "42348-3",
    "note": "51855-5",
    "ecg": "11488-4",
}
"""The LOINC document type of each kind of paper."""

FORMATS = {
    "laboratory": {"fhir": 95, "pdf": 2, "cda": 3},
    "discharge": {"fhir": 86, "cda": 11, "pdf": 3},
    "operation": {"fhir": 90, "cda": 7, "pdf": 3},
    "imaging": {"fhir": 92, "cda": 5, "pdf": 3},
    "letter": {"fhir": 76, "text": 14, "pdf": 6, "cda": 4},
    "directive": {"pdf": 45, "fhir": 55},
    "note": {"text": 70, "fhir": 30},
    "ecg": {"image": 100},
}
"""On what each kind comes, in percent."""
OTHERWISE = {"fhir": 93, "pdf": 2, "cda": 4, "text": 1}

WRITTEN = {"fr": 62, "de": 20, "en": 9, "lb": 9}
"""In which language is written, in percent, by whoever does not write in his own."""


@dataclass(frozen=True, slots=True)
class Hand:
    """Who writes, and where."""

    author: Practitioner
    organization: Organization


class Case:
    """A person, the chance of her own, and the time in which her record takes documents in."""

    def __init__(self, world: World, citizen: Citizen, first: date, last: date) -> None:
        self.world, self.citizen = world, citizen
        self.first, self.last = first, last
        self.chance: random.Random = stream(world.seed, "case", citizen.number)
        self.laboratory = Laboratory(world.seed, citizen)
        self.uptake = 1.1 if citizen.rich else self.chance.choice((0.2, 0.5, 0.7, 0.85, 1.0, 1.35))
        """How often this person sees a doctor, against the mean."""

    def happens(self, share: float) -> bool:
        """Whether something with this probability happens."""
        return self.chance.random() < share

    def spaced(self, days: int) -> int:
        """An interval for this person: those who see doctors often have short ones."""
        return round(days / self.uptake)

    @property
    def gp(self) -> Hand:
        """The general practitioner (or paediatrician)."""
        doctor = self.world.practitioners[self.citizen.gp]
        return Hand(doctor, self._employer(doctor))

    def hand(self, speciality: str = "", *, at: str = "", profession: str = "doctor") -> Hand:
        """A professional of a speciality, always the same one for this person; `at`: short name of a place."""
        employer = self.world.organizations[at].id if at else None
        fitting = [
            practitioner
            for practitioner in self.world.practitioners
            if practitioner.profession == profession
            and (not speciality or speciality in practitioner.specialities)
            and employer in (None, practitioner.roles[-1].organization_id)
        ]
        doctor = fitting[(self.citizen.number * 31 + 7) % len(fitting)]
        return Hand(doctor, self._employer(doctor))

    def paper(
        self,
        kind: str,
        day: date | datetime,
        hand: Hand | None,
        sections: tuple[Section, ...],
        language: str,
        about: str = "",
    ) -> Paper:
        """A paper of a kind; `hand` None: by the person herself. `about` goes behind the title."""
        title = word(f"document.{kind}", language)
        return Paper(
            kind=kind,
            type=TYPES[kind],
            title=f"{title}: {about}" if about else title,
            language=language,
            at=day if isinstance(day, datetime) else moment(self.chance, day),
            subject=self.citizen,
            author=hand.author if hand else None,
            organization=hand.organization if hand else None,
            sections=sections,
            format=one(self.chance, FORMATS.get(kind, OTHERWISE)),
        )

    def language(self, hand: Hand | None, possible: tuple[str, ...]) -> str:
        """The language of a paper: mostly the writer's own."""
        own = hand.author.languages[0] if hand else self.citizen.language
        if own in possible and (hand is None or self.happens(0.7)):
            return own
        return one(self.chance, {language: WRITTEN[language] for language in possible})

    def _employer(self, practitioner: Practitioner) -> Organization:
        place = practitioner.roles[-1].organization_id
        return next(found for found in self.world.organizations.values() if found.id == place)
