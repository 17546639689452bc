"""The care of one person: who treats them, and the language, format and title of each document."""

import random
from dataclasses import dataclass
from datetime import date, datetime

from esante.demo.data_tables import term
from esante.demo.documents.laboratory import Laboratory
from esante.demo.model import Citizen, DocumentDraft, Section, World
from esante.demo.seeded_random import draw_moment, draw_weighted, random_stream
from esante.identity.directory import Organization, Practitioner

DOCUMENT_TYPES = {
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
"""The LOINC code of the document type of each kind of document."""

FORMAT_WEIGHTS = {
    "laboratory": {"fhir": 95, "pdf": 2, "cda": 3},
    "discharge": {"fhir": 86, "cda": 11, "pdf": 3},
    "operation": {"fhir": 90, "cda": 7, "pdf": 3},
    "imaging": {"fhir": 92, "cda": 5, "pdf": 3},
    "letter": {"fhir": 76, "text": 14, "pdf": 6, "cda": 4},
    "directive": {"pdf": 45, "fhir": 55},
    "note": {"text": 70, "fhir": 30},
    "ecg": {"image": 100},
}
"""The formats of each kind of document, in percent."""
DEFAULT_FORMAT_WEIGHTS = {"fhir": 93, "pdf": 2, "cda": 4, "text": 1}

LANGUAGE_WEIGHTS = {"fr": 62, "de": 20, "en": 9, "lb": 9}
"""The languages of authors who do not write in their own, in percent."""


@dataclass(frozen=True, slots=True)
class Authorship:
    """An author, and the organisation where they work."""

    author: Practitioner
    organization: Organization


class CareCase:
    """A person, their random numbers, and the period in which their record is open for deposits."""

    def __init__(self, world: World, citizen: Citizen, first: date, last: date) -> None:
        self.world, self.citizen = world, citizen
        self.first, self.last = first, last
        self.rng: random.Random = random_stream(world.seed, "case", citizen.number)
        self.laboratory = Laboratory(world.seed, citizen)
        self.uptake = 1.1 if citizen.showcase else self.rng.choice((0.2, 0.5, 0.7, 0.85, 1.0, 1.35))
        """How often this person sees a doctor, relative to the mean."""

    def draw_bool(self, share: float) -> bool:
        """Return True with the probability `share`."""
        return self.rng.random() < share

    def interval(self, days: int) -> int:
        """Return an interval in days for this person: shorter for those who see doctors often."""
        return round(days / self.uptake)

    @property
    def general_practitioner(self) -> Authorship:
        """The general practitioner (or paediatrician)."""
        doctor = self.world.practitioners[self.citizen.gp_index]
        return Authorship(doctor, self._employer(doctor))

    def find_author(self, speciality: str = "", *, at: str = "", profession: str = "doctor") -> Authorship:
        """Return a professional of a speciality, the same each time; `at`: short name of an organisation."""
        employer = self.world.organizations[at].id if at else None
        candidates = [
            practitioner
            for practitioner in self.world.practitioners
            if practitioner.profession == profession
            and (not speciality or speciality in practitioner.specialities)
            and employer in (None, practitioner.roles[-1].organization_id)
        ]
        doctor = candidates[(self.citizen.number * 31 + 7) % len(candidates)]
        return Authorship(doctor, self._employer(doctor))

    def draft(
        self,
        kind: str,
        day: date | datetime,
        authorship: Authorship | None,
        sections: tuple[Section, ...],
        language: str,
        subtitle: str = "",
    ) -> DocumentDraft:
        """Return a draft of a kind; `authorship` None: by the person. `subtitle` is appended to the title."""
        title = term(f"document.{kind}", language)
        return DocumentDraft(
            kind=kind,
            type=DOCUMENT_TYPES[kind],
            title=f"{title}: {subtitle}" if subtitle else title,
            language=language,
            at=day if isinstance(day, datetime) else draw_moment(self.rng, day),
            subject=self.citizen,
            author=authorship.author if authorship else None,
            organization=authorship.organization if authorship else None,
            sections=sections,
            format=draw_weighted(self.rng, FORMAT_WEIGHTS.get(kind, DEFAULT_FORMAT_WEIGHTS)),
        )

    def draw_language(self, authorship: Authorship | None, possible: tuple[str, ...]) -> str:
        """Return the language of a document: mostly the author's own."""
        own = authorship.author.languages[0] if authorship else self.citizen.language
        if own in possible and (authorship is None or self.draw_bool(0.7)):
            return own
        return draw_weighted(self.rng, {language: LANGUAGE_WEIGHTS[language] for language in possible})

    def _employer(self, practitioner: Practitioner) -> Organization:
        employer_id = practitioner.roles[-1].organization_id
        return next(place for place in self.world.organizations.values() if place.id == employer_id)
