"""The use cases of evidence: add, download, verify. Contents lie in the object store, the chain in the database."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import NIL, Connection, Database, Objects, insert
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, clean_text
from esante.identity.access import Requester
from esante.services.soc.cases import case_store
from esante.services.soc.cases.case_files import get_file, put_file
from esante.services.soc.cases.events import CaseExpired
from esante.services.soc.cases.model import Case
from esante.services.soc.cases.states import require_active
from esante.services.soc.cases.timeline import act_rows, require_case
from esante.services.soc.evidence import evidence_store
from esante.services.soc.evidence.chain import START, ChainFault, chain_faults, chain_value
from esante.services.soc.evidence.model import EvidenceAdded, EvidenceItem, EvidenceRead
from esante.services.soc.tenants.service import Tenants

MAX_BYTES = 20 * 1024 * 1024
"""Bytes of a file of evidence."""
MOST_ITEMS = 500
LONGEST_NAME = 150


class CaseEvidence:
    """The evidence of cases."""

    def __init__(self, db: Database, objects: Objects, journal: Journal, tenants: Tenants) -> None:
        self._db, self._objects, self._journal, self._tenants = db, objects, journal, tenants

    async def items(self, requester: Requester, case_id: UUID) -> list[EvidenceItem]:
        """Return the evidence of a case. Raises: Problem 404."""
        await require_case(self._db, await self._tenants.scope_of(requester), case_id)
        return await evidence_store.fetch_evidence(self._db, case_id)

    async def add(
        self, requester: Requester, case_id: UUID, name: str, media_type: str, content: bytes
    ) -> EvidenceItem:
        """Add a file to the evidence of a case; return its item.

        Raises: Problem 404, 409 for a closed case, 400 for an empty or too large file, or a name that is too long.
        """
        scope = await self._tenants.scope_of(requester)
        if not content or len(content) > MAX_BYTES:
            raise bad_request("file", N_("Choose a file that is not empty, of at most 20 MB."), code="value")
        name = clean_text(name, 1, LONGEST_NAME, "file")
        async with self._db.transaction() as conn:
            case = await require_case(conn, scope, case_id, lock=True)
            require_active(case)
            return await self._append(conn, requester, case, name, media_type[:100], content)

    async def add_alerts(
        self, conn: Connection, requester: Requester, case: Case, rows: Sequence[dict[str, Any]]
    ) -> None:
        """Add alerts as they are stored, a JSON line each, to the evidence of a case that conn has locked."""
        lines = [orjson.dumps({**row, **_parsed(row)}, option=orjson.OPT_SORT_KEYS, default=str) for row in rows]
        await self._append(conn, requester, case, "alerts.jsonl", "application/jsonl", b"\n".join(lines) + b"\n")

    async def read(self, requester: Requester, case_id: UUID, position: int) -> tuple[EvidenceItem, bytes]:
        """Return an item of evidence and its content, and journal that it was read.

        Raises: Problem 404, 409 for a content that was changed or lost.
        """
        case = await require_case(self._db, await self._tenants.scope_of(requester), case_id)
        item = await evidence_store.fetch_item(self._db, case_id, position)
        if item is None:
            raise Problem(404, "not-found", NOT_FOUND)
        try:
            content = await get_file(self._objects, case_id, item.sha256)
        except (FileNotFoundError, ValueError) as error:
            title = N_("The content of this evidence is lost or was changed.")
            raise Problem(409, "conflict", title) from error
        event = EvidenceRead(tenant_id=case.tenant_id, case_id=case_id, position=position)
        await self._journal.append_for(requester, event)
        return item, content

    async def verify(self, requester: Requester, case_id: UUID) -> list[ChainFault]:
        """Return what is wrong with the evidence of a case, nothing when it is intact. Raises: Problem 404."""
        return await self._faults(await self.items(requester, case_id))

    async def verify_all(self) -> dict[str, list[ChainFault]]:
        """Return what is wrong with the evidence of all cases, by reference, and what only the journal knows."""
        journalled = await self._journalled_positions()
        cases = {*await evidence_store.fetch_cases_with_evidence(self._db), *journalled}
        named = await case_store.fetch_titles(self._db, [*cases])
        found: dict[str, list[ChainFault]] = {}
        for case_id in sorted(cases):
            items = await evidence_store.fetch_evidence(self._db, case_id)
            faults = await self._faults(items)
            faults += [
                ChainFault(one, N_("An item is missing here."))
                for one in range(len(items) + 1, journalled[case_id] + 1)
            ]
            found[named[case_id].reference if case_id in named else str(case_id)] = faults
        return found

    async def _append(
        self, conn: Connection, requester: Requester, case: Case, name: str, media_type: str, content: bytes
    ) -> EvidenceItem:
        last = await evidence_store.fetch_last_item(conn, case.case_id)
        if last is not None and last.position >= MOST_ITEMS:
            raise Problem(409, "conflict", N_("This case has too many items of evidence."))
        item = EvidenceItem(
            case_id=case.case_id,
            position=last.position + 1 if last else 1,
            name=name,
            media_type=media_type,
            size=len(content),
            sha256=await put_file(self._objects, case.case_id, content),
            added_at=clock.now(),
            added_by=requester.name,
            previous=last.chain if last else START,
            chain=b"",
            entry_id=NIL,
        )
        item = replace(item, chain=chain_value(item))
        event = EvidenceAdded(
            tenant_id=case.tenant_id,
            case_id=case.case_id,
            position=item.position,
            sha256=item.sha256.hex(),
            chain=item.chain.hex(),
        )
        rows = act_rows(self._journal, requester, case, event, "evidence", {"name": name})
        entry_id = next(values[1] for table, values in rows if table.name == "journal_entry")
        await insert(conn, [*rows, evidence_store.evidence_row(replace(item, entry_id=entry_id))])
        return item

    async def _faults(self, items: Sequence[EvidenceItem]) -> list[ChainFault]:
        contents: dict[int, bool | None] = {}
        journalled: dict[UUID, str | None] = {}
        for item in items:
            contents[item.position] = await self._is_intact(item)
            entry = await self._journal.entry_of(NIL, item.entry_id)
            if entry is not None and entry.type == EvidenceAdded.TYPE:
                journalled[item.entry_id] = entry.event.chain if entry.event is not None else None
        return [*chain_faults(items, contents, journalled)]

    async def _is_intact(self, item: EvidenceItem) -> bool | None:
        """Return whether the stored content of an item has its SHA-256, None where it is lost."""
        try:
            return bool(await get_file(self._objects, item.case_id, item.sha256))
        except FileNotFoundError:
            return None
        except ValueError:
            return False

    async def _journalled_positions(self) -> dict[UUID, int]:
        """Return the last position of each case that entries of the journal name."""
        last: dict[UUID, int] = defaultdict(int)
        before = None
        while entries := await self._journal.entries_of(NIL, [EvidenceAdded], before=before, limit=500):
            for entry in entries:
                if entry.event is not None:
                    last[entry.event.case_id] = max(last[entry.event.case_id], entry.event.position)
            before = entries[-1].id
        for case_id in await self._expired():
            last.pop(case_id, None)
        return last

    async def _expired(self) -> set[UUID]:
        """Return the cases that were deleted at the end of their time."""
        found, before = set(), None
        while entries := await self._journal.entries_of(NIL, [CaseExpired], before=before, limit=500):
            found |= {entry.event.case_id for entry in entries if entry.event is not None}
            before = entries[-1].id
        return found


def _parsed(row: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of an alert that are JSON as what they hold."""
    return {name: orjson.loads(row[name]) for name in ("reason", "evidence")}
