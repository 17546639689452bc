"""Orders to the software under test, by the driver interface that its vendor offers for the test.

`POST {target}/actions` with `{"action": "send-note" | "confirm" | "cancel", ...}` is answered at once, and
`GET {target}/notes/{uuid}` says how far a note is (docs/conformance-kits.md).
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from esante.core.types import Json
from esante.services.conformance.kits.checks import expect, expect_status
from esante.services.conformance.kits.model import Fault
from esante.services.conformance.kits.ra_pid.sandbox import Call, Sandbox
from esante.services.conformance.kits.session import Session

WAIT_SECONDS = 15.0
"""The time in which the software must do what it was asked for."""
QUIET_SECONDS = 0.6
"""The time in which it must not do what it must not do."""
POLL_SECONDS = 0.1
TOKEN = "sandbox-token"  # noqa: S105 - of the sandbox only
PROVIDER_CODE, EHEALTH_ID, MATRICULE = "90123456", "2800000012", "1893120105732"
"""Invented numbers; the matricule is the example of the OECD's sheet on tax numbers."""
TARIFFS = {"C1": Decimal("57.70"), "E20": Decimal("12.30")}
_FIRST_DAY = date(2026, 10, 1)
_ADDRESS = {"street": "Rue de l'Essai", "postal_code": "1234", "city": "Luxembourg", "country": "LU"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SentNote:
    """A note that the software was asked to send: its UUID and fields, and the place in the sandbox's calls before."""

    uuid: str
    note: Json
    place: int


def sandbox_of(session: Session) -> Sandbox:
    """Return the sandbox of the run."""
    sandbox: Sandbox = session.value("sandbox")
    return sandbox


def new_note(session: Session) -> Json:
    """Return the fields of a fee note of two lines, each time of another day."""
    number = session.values["notes"] = session.values.get("notes", 0) + 1
    day = (_FIRST_DAY + timedelta(days=number)).isoformat()
    return {
        "biller": {
            "provider_code": PROVIDER_CODE,
            "ehealth_id": EHEALTH_ID,
            "family": "Exempel",
            "given": "Paul",
            "address": _ADDRESS,
        },
        "patient": {"matricule": MATRICULE, "family": "Musterfra", "given": "Anna", "address": _ADDRESS},
        "issued_on": day,
        "lines": [
            {"code": "C1", "quantity": 1, "on": day, "place": "01", "amount": "57.70"},
            {"code": "E20", "quantity": 2, "on": day, "place": "01", "amount": "24.60"},
        ],
    }


async def order(session: Session, action: str, **fields: Any) -> Json:
    """Ask the software to act; return its answer. Raises: `Fault` when it does not take the order."""
    body = {"action": action, "sandbox": sandbox_of(session).address, "token": TOKEN, **fields}
    reply = await session.send("POST", "actions", json=body)
    expect_status(reply, 200, 202, remedy="Take the order with 202, and carry it out afterwards.")
    answer = reply.json()
    expect(isinstance(answer, dict), "The answer is no JSON object.", "Answer with an object.")
    return dict(answer)


async def send_note(session: Session, way: str = "pid", note: Json | None = None) -> SentNote:
    """Ask the software to send a note by a way: "pid" (RA where that cannot be had), "ra" or "exchange"."""
    place, note = sandbox_of(session).mark(), note or new_note(session)
    answer = await order(session, "send-note", way=way, note=note)
    return SentNote(uuid=as_uuid(answer.get("uuid"), "uuid"), note=note, place=place)


def as_uuid(value: object, name: str) -> str:
    """Return a UUID in small letters. Raises: `Fault` for anything else."""
    try:
        return str(UUID(str(value)))
    except ValueError as error:
        raise Fault(f"{name} is {str(value)[:60]!r}, which is no UUID.", "Give each note a UUID.") from error


async def confirm(session: Session, uuid: str, *, patient: bool = True) -> None:
    """Say that doctor and patient confirm a simulated note, and that the patient has paid their share."""
    await order(session, "confirm", uuid=uuid, doctor=True, patient=patient, personal_share=True)


async def calls(session: Session, sent: SentNote, step: str, count: int = 1) -> list[Call]:
    """Return the calls of a step since a note was sent, once there are `count`. Raises: `Fault` when they do not."""
    sandbox = sandbox_of(session)
    await sandbox.wait(lambda: len(sandbox.since(sent.place, step)) >= count, WAIT_SECONDS)
    found = sandbox.since(sent.place, step)
    if len(found) < count:
        seen = ", ".join(call.step for call in sandbox.since(sent.place)) or "nothing"
        raise Fault(
            f"After {WAIT_SECONDS:.0f} seconds {len(found)} of {count} calls of the kind {step} came; in all: {seen}.",
            "Send the note to the address that the order names.",
        )
    return found


async def stays_without(session: Session, place: int, *steps: str) -> list[Call]:
    """Return the calls of steps that come within a short time after a place; none should."""
    await asyncio.sleep(QUIET_SECONDS)
    return sandbox_of(session).since(place, *steps)


async def read_state(session: Session, uuid: str) -> Json:
    """Return what the software shows of a note."""
    reply = await session.send("GET", f"notes/{uuid}")
    expect_status(reply, 200, remedy="Show each note under its UUID.")
    return dict(reply.json())


async def wait_for_state(session: Session, uuid: str, *states: str) -> Json:
    """Return what the software shows of a note, once it is in one of some states. Raises: `Fault` when it never is."""
    end, found = time.monotonic() + WAIT_SECONDS, Json()
    while time.monotonic() < end:
        found = await read_state(session, uuid)
        if found.get("state") in states:
            return found
        await asyncio.sleep(POLL_SECONDS)
    wanted = " or ".join(states)
    raise Fault(f"The note is {found.get('state')!r} and does not become {wanted}.", f"Show that it is {wanted}.")
