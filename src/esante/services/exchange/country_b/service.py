"""The use cases of encounters with patients from abroad: begin each step, keep it, ask, show, end."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import ParamSpec, TypeVar
from uuid import UUID

from asyncpg import UniqueViolationError

from esante.core import clock
from esante.core.journal import Event, Journal
from esante.core.storage import Connection, Database, Row, Unavailable, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Page, Problem, bad_request, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester
from esante.identity.directory import Directory
from esante.services.exchange.assertions.rules import rules_on
from esante.services.exchange.contact_points import ContactPoint, ContactPoints, MaskField
from esante.services.exchange.country_b import encounter_store as store
from esante.services.exchange.country_b import rules
from esante.services.exchange.country_b.asker import Asker
from esante.services.exchange.country_b.dispensation import Dispensed, PrescriptionItem, read_items, write_dispensation
from esante.services.exchange.country_b.mask_values import checked_values
from esante.services.exchange.country_b.messages import parameter_of
from esante.services.exchange.country_b.model import (
    CLASSES,
    Act,
    AnyStep,
    Began,
    Confirmed,
    Encounter,
    EncounterEnded,
    EncounterOpened,
    Ended,
    Prepared,
    Searched,
    SubmissionPrepared,
    Taken,
    TreatmentConfirmed,
)
from esante.services.exchange.country_b.professionals import Asking, asking, may_dispense
from esante.services.exchange.country_b.rules import NotNow
from esante.services.exchange.country_b.terms import terms_on

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)
PAGE_SIZE = 20
PURPOSES = ("TREATMENT", "EMERGENCY")
_ENDED_AT_ONCE = 500


class Encounters:
    """Encounters of the professionals of this country with patients from abroad."""

    def __init__(
        self, db: Database, journal: Journal, points: ContactPoints, directory: Directory, asker: Asker
    ) -> None:
        self._db, self._journal, self._points, self._directory = db, journal, points, directory
        self._asker = asker
        self._running: set[asyncio.Task[None]] = set()

    async def countries(self) -> list[ContactPoint]:
        """Return the contact points that can be asked for patients, by country."""
        found = [await self._points.find(one.country) for one in await self._points.all()]
        return [one for one in found if one is not None and fields_of(one)]

    async def open(self, requester: Requester, country: str, values: Mapping[int, str]) -> Encounter:
        """Begin an encounter: look for a patient by what they said; `ask` then asks their country.

        `values`: by the place of the field in the mask. Raises: `Problem` 403, 404 for an unknown country, 400 at a
        field.
        """
        who = await self._asking(requester)
        point = await self._point(country)
        checked, now = checked_values(fields_of(point), values), clock.now()
        encounter = Encounter(
            id=uuid7(),
            country=country,
            practitioner_id=requester.id,
            practitioner=requester.name,
            organization_id=requester.organization_id,
            organization=who.organization.name if who.organization else "",
            began_at=now,
        )
        steps = _numbered(encounter, Searched(values=checked), Began(act=Act.IDENTIFY))
        rows = [store.encounter_row(encounter), *(store.step_row(encounter.id, one) for one in steps)]
        event = EncounterOpened(encounter_id=encounter.id, country=country)
        await self._db.write([*rows, *self._journal.rows_for(requester, event)])
        return rules.advance(encounter, steps)

    async def search_again(self, requester: Requester, encounter_id: UUID, values: Mapping[int, str]) -> Encounter:
        """Look for the patient once more, with what they said now. Raises: `Problem` 403, 404, 400, 409."""
        encounter = await self.get(requester, encounter_id)
        point = await self._point(encounter.country)
        checked = checked_values(fields_of(point), values)
        _check(rules.may_identify, encounter, clock.now())
        return await self._take(encounter, Searched(values=checked), Began(act=Act.IDENTIFY))

    async def confirm(self, requester: Requester, encounter_id: UUID, purpose: str) -> Encounter:
        """Confirm that the person is the patient, and that the requester treats them. Raises: `Problem`."""
        encounter = await self.get(requester, encounter_id)
        if purpose not in PURPOSES:
            raise bad_request("purpose", N_("Choose the purpose."), code="value")
        _check(rules.may_confirm, encounter, clock.now())
        event = TreatmentConfirmed(encounter_id=encounter.id, country=encounter.country, purpose=purpose)
        return await self._take(encounter, Confirmed(purpose=purpose), event=event, requester=requester)

    async def begin_list(self, requester: Requester, encounter_id: UUID, class_code: str) -> Encounter:
        """Begin to list the documents of a class. Raises: `Problem`."""
        encounter = await self.get(requester, encounter_id)
        point = await self._point(encounter.country)
        if class_code not in CLASSES or class_code not in point.offers:
            raise Problem(404, "not-found", NOT_FOUND)
        _check(rules.may_list, encounter, _validity(), clock.now())
        return await self._take(encounter, Began(act=Act.LIST, about=class_code))

    async def begin_retrieval(self, requester: Requester, encounter_id: UUID, unique_id: str) -> Encounter:
        """Begin to retrieve a document. Raises: `Problem`."""
        encounter = await self.get(requester, encounter_id)
        _check(rules.may_retrieve, encounter, unique_id, _validity(), clock.now())
        return await self._take(encounter, Began(act=Act.RETRIEVE, about=unique_id))

    async def items(self, requester: Requester, encounter_id: UUID, unique_id: str) -> list[PrescriptionItem]:
        """Return the items of a prescription that was received. Raises: `Problem` 404."""
        data = await self.document(requester, encounter_id, unique_id)
        return await asyncio.to_thread(read_items, data)

    async def dispense(
        self, requester: Requester, encounter_id: UUID, unique_id: str, item_id: str, dispensed: Dispensed
    ) -> Encounter:
        """Make a dispensation, keep it, and begin to send it. Raises: `Problem`."""
        encounter, who = await self.get(requester, encounter_id), await self._asking(requester)
        if not may_dispense(requester):
            raise Problem(403, "forbidden", N_("Only pharmacists dispense here."))
        items = {one.id: one for one in await self.items(requester, encounter_id, unique_id)}
        if item_id not in items:
            raise Problem(404, "not-found", NOT_FOUND)
        _check(rules.may_dispense, encounter, unique_id, item_id, _validity(), clock.now())
        data = await self.document(requester, encounter_id, unique_id)
        assert encounter.patient is not None
        document_id, made = write_dispensation(
            data, items[item_id], dispensed, encounter.patient, who.dispenser, clock.now()
        )
        prepared = Prepared(
            document_id=document_id,
            prescription_id=item_id,
            unique_id=unique_id,
            title=dispensed.product,
            quantity=str(dispensed.quantity),
        )
        return await self._submit(requester, encounter, prepared, made)

    async def discard(self, requester: Requester, encounter_id: UUID, document_id: str) -> Encounter:
        """Begin to discard a dispensation that was acknowledged. Raises: `Problem`."""
        encounter = await self.get(requester, encounter_id)
        found = _check(rules.may_discard, encounter, document_id, _validity(), clock.now()).prepared
        data = await store.fetch_document(self._db, encounter.id, "prepared", document_id)
        prepared = replace_discard(found, f"{self._points.home}^{uuid7()}")
        return await self._submit(requester, encounter, prepared, data)

    async def ask_again(self, requester: Requester, encounter_id: UUID, document_id: str) -> Encounter:
        """Begin to send a dispensation or discard without an answer once more, the very same. Raises: `Problem`."""
        encounter = await self.get(requester, encounter_id)
        _check(rules.may_ask_again, encounter, document_id, _validity(), clock.now())
        return await self._take(encounter, Began(act=Act.SUBMIT, about=document_id))

    async def end(self, requester: Requester, encounter_id: UUID) -> None:
        """End an encounter, and delete what was received in it. Raises: `Problem`."""
        encounter = await self.get(requester, encounter_id)
        _check(rules.may_end, encounter, clock.now())
        event = EncounterEnded(encounter_id=encounter.id, country=encounter.country)
        async with self._db.transaction() as conn:
            await self._end(conn, encounter, self._journal.rows_for(requester, event))

    async def get(self, requester: Requester, encounter_id: UUID) -> Encounter:
        """Return an encounter of the requester's own. Raises: `Problem` 404."""
        encounter = await store.fetch(self._db, encounter_id)
        if encounter is None or encounter.practitioner_id != requester.id:
            raise Problem(404, "not-found", NOT_FOUND)
        return encounter

    async def document(self, requester: Requester, encounter_id: UUID, unique_id: str) -> bytes:
        """Return the bytes of a document that was received. Raises: `Problem` 404."""
        encounter = await self.get(requester, encounter_id)
        known = encounter.ended_at is None and unique_id in encounter.retrieved
        data = await store.fetch_document(self._db, encounter_id, "retrieved", unique_id) if known else b""
        if not data:
            raise Problem(404, "not-found", NOT_FOUND)
        return data

    async def page(self, requester: Requester, text: str, cursor: str | None) -> Page[Encounter]:
        """Return a page of the requester's encounters, the newest first. Raises: `Problem` 400."""
        found = await store.fetch_page(self._db, requester.id, text, decode_uuid_cursor(cursor), PAGE_SIZE + 1)
        following = encode_cursor(found[PAGE_SIZE - 1].id) if len(found) > PAGE_SIZE else None
        return Page(list(found[:PAGE_SIZE]), following)

    async def start(self, requester: Requester, encounter: Encounter) -> asyncio.Task[None]:
        """Ask what an encounter waits for, beside the request; the answer is a step of the encounter."""
        who, point = await self._asking(requester), await self._point(encounter.country)
        task = asyncio.create_task(self._asker.ask(who, encounter, point))
        self._running.add(task)
        task.add_done_callback(self._finish)
        return task

    async def close(self) -> None:
        """Wait until what was asked is answered."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def end_due(self) -> None:
        """End encounters that nobody ended in time, and delete the lines of old ones.

        What waits for a dispensation to be settled stays, without the documents that were received.
        """
        terms, now = terms_on(today()), clock.now()
        for encounter in await store.fetch_open(self._db, now - terms.open_for, _ENDED_AT_ONCE):
            if rules.is_waiting(encounter, now):
                continue
            async with self._db.transaction() as conn:
                if encounter.unknown is not None:
                    await store.delete_received(conn, encounter.id)
                    continue
                event = EncounterEnded(encounter_id=encounter.id, country=encounter.country, by_time=True)
                await self._end(conn, encounter, self._journal.rows(event))
        await store.delete_ended(self._db, now - terms.kept_for)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, Unavailable):
            log.warning("an answer from abroad could not be kept: %s", error)
        elif error is not None:
            log.error("asking abroad failed", exc_info=error)

    async def _submit(
        self, requester: Requester, encounter: Encounter, prepared: Prepared, document: bytes
    ) -> Encounter:
        event = SubmissionPrepared(
            encounter_id=encounter.id,
            country=encounter.country,
            document_id=prepared.document_id,
            discards=prepared.discards,
        )
        began = Began(act=Act.SUBMIT, about=prepared.document_id)
        return await self._take(encounter, prepared, began, event=event, requester=requester, document=document)

    async def _take(
        self,
        encounter: Encounter,
        *steps: AnyStep,
        event: Event | None = None,
        requester: Requester | None = None,
        document: bytes = b"",
    ) -> Encounter:
        """Keep the next steps of an encounter with the entry of the act. Raises: `Problem` 409 when another came."""
        numbered = _numbered(encounter, *steps)
        rows = [
            store.step_row(encounter.id, one, document if isinstance(one.step, Prepared) else b"") for one in numbered
        ]
        entry = self._journal.rows_for(requester, event) if event and requester else []
        try:
            await self._db.write([*rows, *entry])
        except UniqueViolationError as error:
            raise _conflict(N_("The encounter has changed meanwhile. Look at it again.")) from error
        return rules.advance(encounter, numbered)

    async def _end(self, conn: Connection, encounter: Encounter, entry: Sequence[Row]) -> None:
        await store.delete_steps(conn, encounter.id)
        (ended,) = _numbered(encounter, Ended())
        await insert(conn, [store.step_row(encounter.id, ended), *entry])

    async def _asking(self, requester: Requester) -> Asking:
        return await asking(self._directory, requester, self._points.country, self._points.home)

    async def _point(self, country: str) -> ContactPoint:
        point = await self._points.find(country)
        if point is None:
            raise Problem(404, "not-found", N_("This country cannot be asked at the moment."))
        return point


def fields_of(point: ContactPoint) -> dict[int, MaskField]:
    """Return the fields of a country's mask that a discovery can carry, by their place."""
    return {place: field for place, field in enumerate(point.mask) if parameter_of(field)}


def replace_discard(found: Prepared, document_id: str) -> Prepared:
    """Return the discard of a dispensation."""
    return Prepared(
        document_id=document_id,
        prescription_id=found.prescription_id,
        unique_id=found.unique_id,
        title=found.title,
        quantity=found.quantity,
        discards=found.document_id,
    )


def dispensed_of(quantity: str, product: str, *, is_substituted: bool) -> Dispensed:
    """Return what a form says was dispensed. Raises: `Problem` 400 at a field."""
    text = quantity.strip().replace(",", ".")
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) > 0):
        raise bad_request("quantity", N_("Write the number of packages, such as 1."), code="value")
    name = " ".join(product.split())
    if not (0 < len(name) <= 200 and name.isprintable()):
        raise bad_request("product", N_("Write the name of the product."), code="value")
    return Dispensed(quantity=Decimal(text), product=name, is_substituted=is_substituted)


def _numbered(encounter: Encounter, *steps: AnyStep) -> list[Taken]:
    now = clock.now()
    return [Taken(number=encounter.count + place, at=now, step=step) for place, step in enumerate(steps, 1)]


def _validity() -> timedelta:
    return rules_on(today()).trc_validity


def _check(rule: Callable[P, T], *about: P.args, **further: P.kwargs) -> T:
    try:
        return rule(*about, **further)
    except NotNow as error:
        raise _conflict(str(error)) from error


def _conflict(text: str) -> Problem:
    return Problem(409, "conflict", text)
