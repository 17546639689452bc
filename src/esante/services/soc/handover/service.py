"""The use case of handing a case over to a CSIRT: who may receive it, and its package."""

import asyncio
from datetime import datetime
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Objects, insert, uuid7
from esante.core.types import Json
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, current_agency
from esante.identity.access import Requester, require_operator
from esante.identity.directory import Directory
from esante.services.soc.cases import case_store
from esante.services.soc.cases.case_files import get_file, put_file
from esante.services.soc.cases.model import Case
from esante.services.soc.cases.states import require_real
from esante.services.soc.cases.timeline import act_rows, require_case
from esante.services.soc.evidence import evidence_store
from esante.services.soc.handover import handover_store
from esante.services.soc.handover.model import CaseHandedOver, Handover, HandoverRead
from esante.services.soc.handover.package import indicators, package, shared_alert
from esante.services.soc.handover.recipients import HandoverRecipient, handover_rules
from esante.services.soc.tenants.model import Scope, Tenant
from esante.services.soc.tenants.service import Tenants
from esante.services.soc.triage import triage_store

FORMAT = "esante-case-handover/1"


class Handovers:
    """Packages of cases for CSIRTs."""

    def __init__(
        self, db: Database, objects: Objects, journal: Journal, tenants: Tenants, directory: Directory
    ) -> None:
        self._db, self._objects, self._journal = db, objects, journal
        self._tenants, self._directory = tenants, directory

    async def recipients(self, requester: Requester, case: Case) -> list[HandoverRecipient]:
        """Return who may receive a case as it is marked. Raises: Problem 403."""
        require_operator(requester)
        kind = await self._kind(await self._tenants.tenant(requester, case.tenant_id))
        return [one for one in handover_rules().recipient if one.accepts(kind) and case.tlp.is_within(one.most)]

    async def of_case(self, requester: Requester, case_id: UUID) -> list[Handover]:
        """Return the packages of a case, the newest first. Raises: Problem 404."""
        await require_case(self._db, await self._tenants.scope_of(requester), case_id)
        return await handover_store.fetch_handovers(self._db, case_id)

    async def make(self, requester: Requester, case_id: UUID, recipient: str, language: str) -> Handover:
        """Make the package of a case for a recipient, in a language; return it.

        Raises: Problem 403, 404, 400 for an unknown recipient, 409 for a case whose marking does not allow it.
        """
        require_operator(requester)
        known = {one.key: one for one in handover_rules().recipient}
        if recipient not in known:
            raise bad_request("recipient", N_("Choose a value of the list."), code="value")
        async with self._db.transaction() as conn:
            case = await require_case(conn, Scope(None), case_id, lock=True)
            require_real(case)
            to = known[recipient]
            tenant = await self._tenants.tenant(requester, case.tenant_id)
            if not case.tlp.is_within(to.most):
                remedy = N_("Change the marking if whoever set it agrees.")
                title = N_("The marking of the case does not allow this recipient.")
                raise Problem(409, "conflict", title, detail=case.tlp.mark, remedy=remedy)
            if not to.accepts(await self._kind(tenant)):
                raise Problem(409, "conflict", N_("This recipient is not competent for the organisation."))
            now = clock.now()
            content = await self._content(conn, case, tenant, to, now)
            zipped = await asyncio.to_thread(package, content, language, now)
            handover = Handover(
                handover_id=uuid7(),
                case_id=case_id,
                recipient=recipient,
                tlp=case.tlp,
                sha256=await put_file(self._objects, case_id, zipped),
                size=len(zipped),
                made_by=requester.name,
                made_at=now,
            )
            event = CaseHandedOver(
                tenant_id=case.tenant_id,
                case_id=case_id,
                handover_id=handover.handover_id,
                recipient=recipient,
                tlp=case.tlp,
                sha256=handover.sha256.hex(),
            )
            rows = act_rows(self._journal, requester, case, event, "handed_over", {"name": recipient.upper()})
            await insert(conn, [handover_store.handover_row(handover), *rows])
        return handover

    async def read(self, requester: Requester, case_id: UUID, handover_id: UUID) -> tuple[Case, bytes]:
        """Return a package, and journal that it was downloaded. Raises: Problem 403, 404."""
        require_operator(requester)
        case = await require_case(self._db, Scope(None), case_id)
        found = await handover_store.fetch_handover(self._db, case_id, handover_id)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        zipped = await get_file(self._objects, case_id, found.sha256)
        event = HandoverRead(tenant_id=case.tenant_id, case_id=case_id, handover_id=handover_id)
        await self._journal.append_for(requester, event)
        return case, zipped

    async def _kind(self, tenant: Tenant) -> str:
        found = await self._directory.organization(tenant.organization_id) if tenant.organization_id else None
        return found.kind if found else ""

    async def _content(
        self, conn: Connection, case: Case, tenant: Tenant, to: HandoverRecipient, now: datetime
    ) -> Json:
        """Return what a recipient gets of a case: the parts that they may receive, each within their marking."""
        content: Json = {
            "format": FORMAT,
            "reference": case.reference,
            "tlp": case.tlp.mark,
            "to": to.key,
            "from": current_agency().agency_name.of("en"),
            "organization": tenant.name,
            "title": case.title,
            "severity": int(case.severity),
            "state": case.state,
            "outcome": case.outcome,
            "playbook": case.playbook,
            "opened_at": case.opened_at,
            "made_at": now,
        }
        found = await triage_store.fetch_of_case(conn, case.case_id, 300)
        rows = await triage_store.fetch_rows(conn, [one.alert_id for one in found])
        if "alerts" in to.parts:
            content["alerts"] = [shared_alert(row) for row in rows]
        if "indicators" in to.parts:
            content["indicators"] = indicators(rows, handover_rules().indicator)
        if "notes" in to.parts:
            notes = await case_store.fetch_notes(conn, case.case_id)
            content["notes"] = [
                {"at": one.at, "tlp": one.tlp.mark, "text": one.text} for one in notes if one.tlp.is_within(to.most)
            ]
        if "evidence" in to.parts:
            items = await evidence_store.fetch_evidence(conn, case.case_id)
            content["evidence"] = [
                {"position": one.position, "name": one.name, "size": one.size, "sha256": one.sha256.hex()}
                for one in items
            ]
        return content
