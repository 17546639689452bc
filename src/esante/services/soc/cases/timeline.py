"""What every act on a case writes: an entry of its timeline, and the entry of the journal."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.journal import Event, Journal
from esante.core.storage import Connection, Database, Row, uuid7
from esante.core.web import NOT_FOUND, Problem
from esante.identity.access import Requester
from esante.services.soc.cases import case_store
from esante.services.soc.cases.model import Case, TimelineEntry, Tlp
from esante.services.soc.tenants.model import Scope


def act_rows(
    journal: Journal,
    requester: Requester,
    case: Case,
    event: Event,
    kind: str,
    params: Mapping[str, Any] | None = None,
    *,
    text: str = "",
    tlp: Tlp | None = None,
    is_internal: bool = False,
) -> list[Row]:
    """Return the rows of an act: its entry of the timeline (of a `kind` of `ENTRY_WORDS`) and of the journal."""
    entry = TimelineEntry(
        case_id=case.case_id,
        entry_id=uuid7(),
        at=clock.now(),
        actor=requester.name,
        kind=kind,
        params=params or {},
        text=text,
        tlp=tlp or case.tlp,
        is_internal=is_internal,
    )
    return [case_store.entry_row(entry), *journal.rows_for(requester, event)]


async def require_case(db: Database | Connection, scope: Scope, case_id: UUID, *, lock: bool = False) -> Case:
    """Return a case of a scope. Raises: Problem 404 for an unknown one, and for one outside the scope."""
    case = await case_store.fetch(db, scope, case_id, lock=lock)
    if case is None:
        raise Problem(404, "not-found", NOT_FOUND)
    return case
