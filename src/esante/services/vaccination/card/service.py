"""The use cases of the card: load it, check and enter doses, correct them, say what else belongs to them.

Access is decided and journalled by the record, which holds the resources; here a write is decided before anything of
the person is looked at.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from esante.core import clock
from esante.core.storage import Database
from esante.core.time_zone import day_of
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, clean_text
from esante.identity.access import Access, Requester, opening_grant
from esante.identity.directory import Directory, Person
from esante.services.record import Record, no_access
from esante.services.vaccination.card import pack_store, resources, rules, write_rules
from esante.services.vaccination.card.advice import judge_entry
from esante.services.vaccination.card.card_resources import CardResources
from esante.services.vaccination.card.checks import check_terms, contraindication_kinds
from esante.services.vaccination.card.immunization import (
    identifier_of,
    immunization,
)
from esante.services.vaccination.card.loader import CardLoader, LoadedCard
from esante.services.vaccination.card.model import (
    Author,
    Card,
    Dose,
    DoseEntry,
    DoseStatus,
    Override,
    Warning,
)
from esante.services.vaccination.products.catalogue import catalogue, normal_lot
from esante.services.vaccination.recalls import recall_store
from esante.services.vaccination.stock import stock_store
from esante.services.vaccination.stock.model import ColdChainBreak

MAX_ENTRIES = 20
"""Doses that are entered together at most."""
PLACE = "doses"
"""The place of a problem with an entry is this, the index of the entry in brackets, a point and the field."""


class UnansweredWarnings(Problem):
    """The answer (409) to a dose with warnings that nobody answered: say why it is entered anyway."""

    def __init__(self, warnings: Sequence[Warning]) -> None:
        super().__init__(
            409,
            "business-rule",
            N_("Check these points before you save the dose."),
            detail=", ".join(warning.rule for warning in warnings),
            place="reason",
            remedy=N_("Correct the entry, or say why you save it anyway."),
        )
        self.warnings = tuple(warnings)


@dataclass(frozen=True, slots=True)
class Assessment:
    """An entry after the checks: what they found, and the person that it is about."""

    entry: DoseEntry
    warnings: tuple[Warning, ...]
    person: Person


class VaccinationCards:
    """The cards of all persons; `base_url` is the address of /fhir."""

    def __init__(
        self,
        db: Database,
        record: Record,
        directory: Directory,
        access: Access,
        base_url: str,
    ) -> None:
        self._db, self._directory, self._access = db, directory, access
        self._resources = CardResources(record, base_url)
        self._record, self._loader = record, CardLoader(record)

    async def load(self, requester: Requester, person_id: UUID) -> LoadedCard:
        """Return what a requester may see of a card, and whether they have access to the record."""
        return await self._loader.load(requester, person_id)

    async def assess(self, requester: Requester, person_id: UUID, entry: DoseEntry) -> Assessment:
        """Return what the checks find about an entry.

        Raises: `Problem` 403 for who may not write doses, 404 for an unknown person, 400 for what cannot be.
        """
        person, card = await self._opened(requester, person_id, [entry])
        situation = await self._situation(person, card, entry)
        self._require_valid(requester, entry, situation)
        return Assessment(entry, tuple(rules.find_warnings(entry, situation)), person)

    async def enter(
        self, requester: Requester, person_id: UUID, entries: Sequence[DoseEntry], reason: str = ""
    ) -> list[UUID]:
        """Enter doses or refusals, all or none; return the key of each. What was entered already is not repeated.

        `reason`: why they are entered although the checks of doses that are being given found something.
        Raises: `UnansweredWarnings`, and as `assess`.
        """
        if not 1 <= len(entries) <= MAX_ENTRIES:
            raise bad_request("doses", N_("Enter at least one dose."), detail=f"1-{MAX_ENTRIES}", code="required")
        reason = clean_text(reason, 0, rules.MAX_NOTE, "reason")
        person, card = await self._opened(requester, person_id, entries)
        answered = []
        for index, entry in enumerate(entries):
            situation = await self._situation(person, card, entry)
            with _naming_index(index):
                self._require_valid(requester, entry, situation)
            answered.append(_answered(entry, rules.find_warnings(entry, situation), reason))
        made = [immunization(one, person_id, _author(requester), catalogue(), clock.now()) for one in answered]
        return await self._resources.create(requester, made)

    async def correct(
        self,
        requester: Requester,
        person_id: UUID,
        dose_id: UUID,
        version: str,
        entry: DoseEntry,
        why: str,
        reason: str = "",
    ) -> None:
        """Replace a dose of the requester by its next version; `why` it is corrected stays with it.

        Raises: `Problem` 412 where it is not that `version` any more, 404, 403, and as `enter`.
        """
        why = clean_text(why, 3, rules.MAX_NOTE, "why")
        reason = clean_text(reason, 0, rules.MAX_NOTE, "reason")
        person, card = await self._opened(requester, person_id, [entry])
        situation = await self._situation(person, card, entry, without=dose_id)
        self._require_valid(requester, entry, situation)
        entry = _answered(entry, rules.find_warnings(entry, situation), reason)
        made = immunization(entry, person_id, _author(requester), catalogue(), clock.now())
        await self._resources.replace(requester, person_id, dose_id, version, made, why)

    async def withdraw(self, requester: Requester, person_id: UUID, dose_id: UUID, version: str, why: str) -> None:
        """Mark a dose of the requester as entered in error. Raises: as `correct`."""
        why = clean_text(why, 3, rules.MAX_NOTE, "why")
        await self._resources.replace(
            requester, person_id, dose_id, version, {"status": DoseStatus.ENTERED_IN_ERROR.value}, why
        )

    async def confirm(self, requester: Requester, person_id: UUID, dose_id: UUID) -> UUID:
        """Confirm a dose that the person wrote themselves: an own record of the same dose; return its key.

        Raises: `Problem` 404 for another dose, and as `enter`.
        """
        dose = await self.find(requester, person_id, dose_id)
        if dose.confirmed or not dose.identifiers:
            raise Problem(404, "not-found", NOT_FOUND)
        entry = replace(_as_entry(dose), given_here=False)
        person, card = await self._opened(requester, person_id, [entry])
        self._require_valid(requester, entry, await self._situation(person, card, entry))
        made = immunization(entry, person_id, _author(requester), catalogue(), clock.now())
        made["identifier"] = [{"system": system, "value": value} for system, value in sorted(dose.identifiers)]
        return (await self._resources.create(requester, [made], conditional=False))[0]

    async def find(self, requester: Requester, person_id: UUID, dose_id: UUID) -> Dose:
        """Return a dose or refusal. Raises: `Problem` 404."""
        card = (await self.load(requester, person_id)).card
        for dose in (*(one for matched in card.doses for one in matched.all), *card.refusals, *card.errors):
            if dose.id == dose_id:
                return dose
        raise Problem(404, "not-found", NOT_FOUND)

    async def warnings_of(self, person: Person, card: Card, dose: Dose) -> list[Warning]:
        """Return what the checks find about a dose in a card, without the warnings that its author answered.

        So software that enters doses is checked as the forms are, by the card as it is now.
        """
        entry = _as_entry(dose)
        if not dose.is_given:
            return []
        found = rules.find_warnings(entry, await self._situation(person, card, entry, without=dose.id))
        answered = {one.rule for one in dose.overrides}
        return [one for one in found if one.rule not in answered]

    async def add_contraindication(
        self, requester: Requester, person_id: UUID, key: UUID, kind: str, since: date | None, note: str = ""
    ) -> UUID:
        """Record a contraindication; return its key. Raises: `Problem` 400 for an unknown kind, 403."""
        kinds = contraindication_kinds()
        if kind not in kinds:
            raise bad_request("kind", N_("Choose the contraindication from the list."), code="value")
        note = clean_text(note, 0, rules.MAX_NOTE, "note")
        if since is not None and since > day_of(clock.now()):
            raise bad_request("since", N_("This day is in the future."), N_("Check the date."), code="value")
        made = resources.contraindication(kinds[kind], key, person_id, since, note, clock.now())
        return (await self._resources.create(requester, [made]))[0]

    async def end_contraindication(
        self, requester: Requester, person_id: UUID, id_: UUID, version: str, on: date
    ) -> None:
        """Let a contraindication of the requester end on a day. Raises: `Problem` 404, 403, 412, 400."""
        if on > day_of(clock.now()):
            raise bad_request("on", N_("This day is in the future."), N_("Check the date."), code="value")
        key = person_id, id_
        resource = await self._resources.read(requester, "Condition", key)
        resource["abatementDateTime"] = on.isoformat()
        resource["clinicalStatus"]["coding"][0]["code"] = "resolved"
        await self._resources.update(requester, "Condition", key, resource, version)

    async def report_adverse_event(
        self, requester: Requester, person_id: UUID, key: UUID, dose_id: UUID, on: date, text: str, *, serious: bool
    ) -> UUID:
        """Record an adverse event after a dose, unless it is known; return its key. Raises: `Problem` 404, 400."""
        dose = await self.find(requester, person_id, dose_id)
        text = clean_text(text, 3, rules.MAX_NOTE, "text")
        if on > day_of(clock.now()) or (dose.day is not None and on < dose.day):
            title = N_("An adverse event comes after the dose, and not in the future.")
            raise bad_request("on", title, N_("Check the date."), code="value")
        for known in (await self.load(requester, person_id)).card.adverse_events:
            if (known.dose_id, known.text, known.on) == (dose_id, text, on.isoformat()):
                return known.id
        made = resources.adverse_event(key, person_id, dose_id, on, text, clock.now(), serious=serious)
        return (await self._resources.create(requester, [made], conditional=False))[0]

    async def suspect_doses(self, card: Card) -> set[UUID]:
        """Return the doses of a card of which the vaccine may not have been fit for use (breaks of the cold chain)."""
        given = [dose for dose in card.given if dose.given_here and dose.lot and dose.day]
        breaks = await stock_store.fetch_open_breaks(self._db, {dose.lot for dose in given}) if given else []
        return {dose.id for dose in given for one in breaks if _is_within(dose, one)}

    # Steps

    async def may_write_any(self, requester: Requester, person_id: UUID) -> bool:
        """Return whether somebody may write doses into a card, at least those that their profession gives."""
        return write_rules.may_write_any(await self._access.consent(person_id), requester, clock.now())

    async def _opened(
        self, requester: Requester, person_id: UUID, entries: Sequence[DoseEntry]
    ) -> tuple[Person, Card]:
        """Return the person of entries that a requester may write, and their card, read at the same time.

        Reading who the person is is covered by a grant, or journalled.
        """
        consent, now = await self._access.consent(person_id), clock.now()
        if not all(write_rules.may_write(consent, requester, entry, now) for entry in entries):
            raise _not_given() if write_rules.may_write_any(consent, requester, now) else _not_writable()
        if opening_grant(consent, requester, now) is not None:
            found = self._directory.person(person_id)
        else:
            found = self._directory.read_person(person_id, actor=requester.actor, origin=requester.origin)
        person, loaded = await asyncio.gather(found, self.load(requester, person_id))
        if person is None:
            raise no_access()
        return person, loaded.card

    async def _situation(
        self, person: Person, card: Card, entry: DoseEntry, without: UUID | None = None
    ) -> rules.Situation:
        """Return what the checks of an entry look at; `without`: a dose that is being corrected."""
        own = [identifier_of(entry.key)]
        doses = tuple(
            one for one in card.doses if one.shown.id != without and not one.shown.identifiers.intersection(own)
        )
        card, today = replace(card, doses=doses), day_of(clock.now())
        used, recalled = await asyncio.gather(
            pack_store.is_used(self._db, entry.gtin, entry.serial, entry.key),
            recall_store.is_recalled(self._db, entry.product, entry.lot),
        )
        return rules.Situation(
            birth_date=person.birth_date,
            death_date=day_of(person.deceased_at) if person.deceased_at else None,
            card=card,
            today=today,
            catalogue=catalogue(),
            terms=check_terms(entry.day or today),
            contraindications=contraindication_kinds(),
            not_counting=judge_entry(person, card, entry),
            pack_used=used and without is None,
            recalled=recalled,
        )

    def _require_valid(self, requester: Requester, entry: DoseEntry, situation: rules.Situation) -> None:
        rules.require_possible(entry, situation)
        rules.require_vaccinator(entry, requester.profession, situation.catalogue)


@contextmanager
def _naming_index(index: int) -> Iterator[None]:
    """Set the index of the entry before the place of a problem that is raised within the block."""
    try:
        yield
    except Problem as problem:
        problem.place = f"{PLACE}[{index}].{problem.place}"
        raise


def _answered(entry: DoseEntry, warnings: Sequence[Warning], reason: str) -> DoseEntry:
    """Return an entry with the warnings that a reason answers. Raises: `UnansweredWarnings`.

    What is copied from elsewhere has happened: its warnings are shown, and need no answer.
    """
    if not entry.given_here or not warnings:
        return entry
    if len(reason) < 3:
        raise UnansweredWarnings(warnings)
    return replace(entry, overrides=tuple(Override(rule=one.rule, reason=reason) for one in warnings))


def _is_within(dose: Dose, one: ColdChainBreak) -> bool:
    """Return whether a dose was given by the site of a break, from its lot, within its days."""
    place = one.place
    if place.organization_id != dose.author.organization_id or normal_lot(place.lot) != normal_lot(dose.lot):
        return False
    return dose.day is not None and one.first_day <= dose.day <= (one.last_day or dose.day)


def _as_entry(dose: Dose) -> DoseEntry:
    """Return a dose as it would be entered."""
    return DoseEntry(
        key=dose.id,
        product=dose.product,
        name=dose.name,
        antigens=dose.antigens,
        occurred=dose.occurred[:10],
        dose_number=int(dose.dose_number) if dose.dose_number.isdigit() else None,
        lot=dose.lot,
        expires_on=dose.expires_on,
        place=dose.place,
        given_here=dose.given_here,
    )


def _author(requester: Requester) -> Author:
    return Author(
        kind=requester.kind,
        id=requester.id,
        name=requester.name,
        organization_id=requester.organization_id,
        organization=requester.organization,
    )


def _not_given() -> Problem:
    """Return the refusal of a dose to a profession that may enter others only."""
    title = N_("Your profession does not give this vaccine.")
    return Problem(403, "forbidden", title, place="product", remedy=N_("Ask a doctor to enter it."))


def _not_writable() -> Problem:
    return Problem(
        403,
        "forbidden",
        N_("You cannot enter vaccinations for this patient."),
        remedy=N_("Either your profession may not, or the record is not open. Give the patient a paper note instead."),
    )
