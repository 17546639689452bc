"""Who may write doses, and which can be true: the same for the pages of the card and for software (FHIR API).

A dose that its author gave is an act of theirs: where the access matrix lets a profession write nothing, another law
may still let it record its own acts (`exception` in the matrix), of the diseases that it may vaccinate against.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime

from esante.core import clock
from esante.core.time_zone import day_of
from esante.core.types import Json
from esante.core.web import Problem
from esante.identity.access import Action, Consent, Item, Purpose, Requester, decide
from esante.identity.directory import Person
from esante.services.vaccination.card import rules
from esante.services.vaccination.card.checks import antigens_given_by
from esante.services.vaccination.card.immunization import dose_text, named_antigens
from esante.services.vaccination.card.model import DoseEntry, DoseStatus
from esante.services.vaccination.products.catalogue import catalogue

CATEGORY = "vaccination_history"
"""The document class of doses."""
_ELEMENTS = {
    "occurred": "occurrenceDateTime",
    "lot": "lotNumber",
    "serial": "extension",
    "product": "vaccineCode",
}
"""The elements of an Immunization by the fields of the form."""


def own_acts(antigens: Iterable[str]) -> frozenset[str]:
    """Return the subjects (`Item.subjects`) of a dose against some antigens that its author gave."""
    return frozenset(f"dose-given:{key}" for key in antigens)


def may_write(consent: Consent, requester: Requester, entry: DoseEntry, at: datetime) -> bool:
    """Return whether somebody may write an entry into a record."""
    subjects = own_acts(rules.antigens_of(entry, catalogue())) if entry.given_here else frozenset[str]()
    return _may_write(consent, requester, subjects, at)


def may_write_any(consent: Consent, requester: Requester, at: datetime) -> bool:
    """Return whether somebody may write all doses, or at least those that their profession gives."""
    return _may_write(consent, requester, usual_acts(requester.profession, day_of(at)), at)


def usual_acts(profession: str, on: date) -> frozenset[str]:
    """Return the subjects of the doses that a profession gives; none where it gives all, or gives none."""
    return own_acts(antigens_given_by(profession, on) or ())


def _may_write(consent: Consent, requester: Requester, subjects: Collection[str], at: datetime) -> bool:
    item = Item(category=CATEGORY, subjects=frozenset(subjects))
    return decide(consent, requester, Action.WRITE, item, Purpose.TREATMENT, at).allowed


class ImmunizationRules:
    """The rules for each Immunization that is written (`record.TypeRules`)."""

    def subjects(self, resource: Json) -> frozenset[str]:
        """Return what an own act of the author is about; nothing of what is copied from elsewhere."""
        return (
            own_acts(named_antigens(resource, catalogue())) if resource.get("primarySource") is True else frozenset()
        )

    def check(self, requester: Requester, person: Person, resource: Json) -> None:
        """Raise `Problem` for what cannot be: a day before birth, after death or in the future, an impossible lot.

        And 403 for a vaccine that the profession of the author does not give. What is only unusual is no problem: the
        card shows it as a warning.
        """
        if resource.get("status") == DoseStatus.ENTERED_IN_ERROR.value:
            return
        try:
            rules.require_day(
                _day_in_country(str(resource.get("occurrenceDateTime", ""))),
                birth_date=person.birth_date,
                death_date=day_of(person.deceased_at) if person.deceased_at else None,
                today=day_of(clock.now()),
            )
            for field, text in dose_text(resource):
                rules.require_short(field, text)
            self._require_vaccinator(requester, resource)
        except Problem as problem:
            element = _ELEMENTS[problem.place]
            problem.place = f"Immunization.{element}"
            problem.status = 422 if problem.status == 400 else problem.status
            raise

    def _require_vaccinator(self, requester: Requester, resource: Json) -> None:
        day = rules.first_day(str(resource.get("occurrenceDateTime", ""))[:10])
        is_own = resource.get("primarySource") is True and resource.get("status") == DoseStatus.GIVEN.value
        if is_own and requester.kind == "practitioner" and day is not None:
            rules.require_profession(requester.profession, named_antigens(resource, catalogue()), day)


def _day_in_country(occurred: str) -> str:
    """Return a FHIR dateTime as a date: that of the country where it names a moment."""
    try:
        return day_of(datetime.fromisoformat(occurred)).isoformat() if "T" in occurred else occurred
    except (ValueError, OverflowError):  # a leap second, the first or last day of time
        return occurred[:10]
