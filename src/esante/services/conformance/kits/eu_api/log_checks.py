"""The logging component (Annex II, section 3): what the log of a patient says about the retrieval of a document."""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

from esante.core import clock
from esante.services.conformance.kits.checks import Checks, entries, expect, expect_resource, expect_status
from esante.services.conformance.kits.fhir_requests import FHIR_JSON, fhir_get, id_of
from esante.services.conformance.kits.session import Reply, Session

CHECKS = Checks()
_WAIT_SECONDS = 20.0
"""The time within which an access must be in the log."""
_CLOCK_TOLERANCE = timedelta(minutes=5)


async def _log(session: Session, criteria: str = "") -> Reply:
    """Return the answer to a search in the log, with the token that may read it."""
    headers = {"Authorization": f"Bearer {session.option('log-token')}", "Accept": FHIR_JSON}
    return await session.send("GET", f"AuditEvent?patient={session.value('patient')}{criteria}", headers=headers)


async def _events(session: Session, criteria: str = "") -> list[dict[str, Any]]:
    reply = await _log(session, criteria)
    expect_status(reply, 200, remedy="Let those who may read a patient's log search it as AuditEvent.")
    return entries(expect_resource(reply, "Bundle"), "AuditEvent")


def _is_retrieval(event: dict[str, Any], document: str) -> bool:
    """Return whether an entry is about reading a document: it names it, and its action is reading."""
    named = [str(one.get("what", {}).get("reference", "")) for one in event.get("entity", ())]
    return event.get("action") == "R" and any(document in one for one in named)


@CHECKS.of("EU-25")
async def _logged(session: Session) -> None:
    session.option("log-token")
    document, until = id_of(session.value("document")), time.monotonic() + _WAIT_SECONDS
    while True:
        found = [one for one in await _events(session, "&_count=50") if _is_retrieval(one, document)]
        if found or time.monotonic() > until:
            break
        await asyncio.sleep(0.5)
    expect(
        found, "The log has no entry about the document that was retrieved.", "Log every access, with what was read."
    )
    session.values["logged"] = found[0]["id"]


async def _logged_event(session: Session) -> dict[str, Any]:
    """Return the entry about the retrieval as the log gives it now."""
    own = session.value("logged")
    found = [one for one in await _events(session, "&_count=50") if one["id"] == own]
    expect(found, "The entry is not in the log any more.", "Keep what was logged.")
    return found[0]


@CHECKS.of("EU-26")
async def _moment(session: Session) -> None:
    recorded = str((await _logged_event(session)).get("recorded", ""))
    moment = datetime.fromisoformat(recorded)
    near = moment.tzinfo is not None and abs(clock.now() - moment) < _CLOCK_TOLERANCE
    expect(near, f"The entry was recorded at {recorded!r}.", "Record date, time and zone of the access.")


@CHECKS.of("EU-27")
async def _who(session: Session) -> None:
    asking = [one for one in (await _logged_event(session)).get("agent", ()) if one.get("requestor")]
    expect(asking, "No agent of the entry is the requestor.", "Mark who asked for the data.")
    named = [one for one in asking if one.get("who", {}).get("reference") or one.get("who", {}).get("identifier")]
    expect(named, "The requestor has neither reference nor identifier.", "Say which person or organisation it was.")


@CHECKS.of("EU-28")
async def _categories(session: Session) -> None:
    event = await _logged_event(session)
    details = [one for entity in event.get("entity", ()) for one in entity.get("detail", ())]
    labels = [one for entity in event.get("entity", ()) for one in entity.get("securityLabel", ())]
    known = [one for one in details if "categor" in str(one.get("type", "")).lower() and one.get("valueString")]
    what = "The entry does not say which categories of data were accessed."
    expect(known or labels, what, "Give them in entity.detail (type category) or entity.securityLabel.")


@CHECKS.of("EU-29")
async def _origin(session: Session) -> None:
    source = (await _logged_event(session)).get("source", {})
    known = source.get("observer", {}).get("reference") or source.get("observer", {}).get("identifier")
    expect(known, "The entry does not say from which system the data came.", "Give source.observer an identifier.")


@CHECKS.of("EU-30")
async def _by_period(session: Session) -> None:
    event, day = await _logged_event(session), timedelta(days=1)
    recorded = datetime.fromisoformat(event["recorded"])
    for criteria, wanted in (
        (f"&date=ge{recorded - day:%Y-%m-%d}", True),
        (f"&date=lt{recorded - day:%Y-%m-%d}", False),
    ):
        found = event["id"] in [one["id"] for one in await _events(session, f"{criteria}&_count=50")]
        what = f"With {criteria[1:]} the entry is {'not ' if wanted else ''}found."
        expect(found == wanted, what, "Let the log be searched by date.")


@CHECKS.of("EU-31")
async def _log_is_closed(session: Session) -> None:
    path = f"AuditEvent?patient={session.value('patient')}"
    reply = await session.send("GET", path, headers={"Accept": FHIR_JSON})
    expect_status(reply, 401, remedy="Refuse to show the log without a token.")
    reply = await fhir_get(session, path)
    shown = entries(reply.json(), "AuditEvent") if reply.status == 200 else []
    expect(not shown, "Software of a provider reads the patient's log.", "Show it only to those who may read it.")
