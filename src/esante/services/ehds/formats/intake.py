"""Taking in a document of the European format: what breaks its profile is refused, with article and remedy."""

import asyncio
from uuid import UUID

from esante.core.fhir import Issue
from esante.core.journal import Journal
from esante.core.time_zone import today
from esante.core.web import FHIR_JSON
from esante.identity.access import Requester
from esante.services.ehds.formats.model import DocumentRejected
from esante.services.ehds.formats.validation import DocumentCheck, DocumentFinding, check_document
from esante.services.record import Deposit, Deposited, Record

MAX_CONCURRENT = 2
"""Documents that one process checks at the same time."""
MAX_RULES = 20
"""The largest number of broken rules that a journal entry names."""


class BrokenProfile(Exception):
    """A document that breaks the rules of its kind; nothing of it was stored."""

    def __init__(self, check: DocumentCheck) -> None:
        super().__init__(f"{sum(one.is_error for one in check.findings)} rules are broken")
        self.check = check


class Intake:
    """Takes documents into records."""

    def __init__(self, record: Record, journal: Journal) -> None:
        self._record, self._journal = record, journal
        self._free = asyncio.Semaphore(MAX_CONCURRENT)

    async def take_in(
        self, requester: Requester, person_id: UUID, content: bytes, confirmation: str | None = None
    ) -> tuple[Deposited, DocumentCheck]:
        """Deposit a document in a record if it keeps R4, IPS and the guide of its kind; return its check too.

        The right to deposit is decided first, as for any deposit. `confirmation`: see `Deposit.confirmation`. Raises:
        `BrokenProfile`, journalled; what `Record.deposit` raises. Nothing is stored then.
        """
        meta = Deposit(media_type=FHIR_JSON, confirmation=confirmation)
        await self._record.check_deposit(requester, person_id, content, meta)
        async with self._free:
            check = await asyncio.to_thread(check_document, content, today())
        if not check.ok:
            await self._journal.append_for(requester, _rejection(check), person_id=person_id)
            raise BrokenProfile(check)
        return await self._record.deposit(requester, person_id, content, meta), check


def _rejection(check: DocumentCheck) -> DocumentRejected:
    broken = tuple(dict.fromkeys(one.rule for one in check.findings if one.is_error))
    return DocumentRejected(allowed=False, rule="ehds.profile", guide=check.guide, broken=broken[:MAX_RULES])


def issue_of(finding: DocumentFinding) -> Issue:
    """Return a finding as an issue of an OperationOutcome."""
    severity = "error" if finding.is_error else "warning"
    return Issue(severity, finding.code, finding.place, finding.diagnostics, finding.line, finding.column)  # type: ignore[arg-type]
