"""The use cases of containment: suspend somebody's access (two people), request the quarantine of a site."""

from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, parse_uuid, uuid7
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, clean_text
from esante.identity.access import Access, Requester, require_operator
from esante.identity.directory import Directory, Organization, Practitioner
from esante.services.soc.cases import containment_store
from esante.services.soc.cases.events import QuarantineRequested, SuspensionDecided, SuspensionRequested
from esante.services.soc.cases.model import Containment
from esante.services.soc.cases.service import LONGEST, SHORTEST
from esante.services.soc.cases.states import require_active, require_real
from esante.services.soc.cases.timeline import act_rows, require_case
from esante.services.soc.tenants.model import Scope
from esante.services.soc.tenants.service import Tenants


class ContainmentRequests:
    """Requests that stop an attack."""

    def __init__(self, db: Database, journal: Journal, tenants: Tenants, directory: Directory, access: Access) -> None:
        self._db, self._journal, self._tenants = db, journal, tenants
        self._directory, self._access = directory, access

    async def of_case(self, requester: Requester, case_id: UUID) -> list[Containment]:
        """Return the requests of a case, the newest first. Raises: Problem 404."""
        await require_case(self._db, await self._tenants.scope_of(requester), case_id)
        return await containment_store.fetch_containments(self._db, case_id)

    async def count_requested(self) -> int:
        """Return how many suspensions wait for a second person."""
        return await containment_store.count_requested(self._db)

    async def request_suspension(self, requester: Requester, case_id: UUID, identifier: str, reason: str) -> None:
        """Request the suspension of a professional or an organisation, by key or identifier.

        Raises: Problem 403, 404, 400 for an unknown holder or no reason, 409 for a closed case.
        """
        require_operator(requester)
        clean = clean_text(reason, SHORTEST, LONGEST, "reason")
        holder = await self._holder(identifier.strip()[:200])
        if holder is None:
            remedy = N_("Enter the identifier of a professional or an organisation of the directory.")
            raise bad_request("holder", N_("Nobody in the directory has this identifier."), remedy, code="value")
        async with self._db.transaction() as conn:
            case = await require_case(conn, Scope(None), case_id, lock=True)
            require_active(case)
            require_real(case)
            containment = _new(requester, case_id, "suspension", holder.id, holder.name, clean)
            event = SuspensionRequested(
                tenant_id=case.tenant_id,
                case_id=case_id,
                containment_id=containment.containment_id,
                holder_id=holder.id,
            )
            params = {"name": holder.name}
            rows = act_rows(self._journal, requester, case, event, "suspension_requested", params, text=clean)
            await insert(conn, [containment_store.containment_row(containment), *rows])

    async def decide_suspension(
        self, requester: Requester, case_id: UUID, containment_id: UUID, *, confirm: bool
    ) -> None:
        """Suspend somebody as another person requested, and end their sessions, or refuse the request.

        The suspension is done before it is kept here, and doing it again changes nothing: after a fault in between the
        request waits again. Raises: Problem 403, 404, 409 for a decided request, and for the person who made it.
        """
        require_operator(requester)
        async with self._db.transaction() as conn:
            case = await require_case(conn, Scope(None), case_id, lock=True)
            found = await containment_store.fetch_containment(conn, containment_id)
            if found is None or found.case_id != case_id or found.kind != "suspension":
                raise Problem(404, "not-found", NOT_FOUND)
            if found.state != "requested":
                raise Problem(409, "conflict", N_("This request was decided already."))
            if confirm and found.requested_by_id == requester.id:
                raise Problem(409, "conflict", N_("A second person has to decide on the suspension."))
            state = "done" if confirm else "refused"
            if confirm:
                await self._suspend(requester, found)
            await containment_store.decide_containment(conn, containment_id, state, requester.name, clock.now())
            event = SuspensionDecided(
                tenant_id=case.tenant_id,
                case_id=case_id,
                containment_id=containment_id,
                holder_id=found.holder_id,
                state=state,
            )
            await insert(
                conn,
                act_rows(self._journal, requester, case, event, f"suspension_{state}", {"name": found.holder}),
            )

    async def request_quarantine(self, requester: Requester, case_id: UUID, reason: str) -> None:
        """Request that the sites of a case's member are put in quarantine: an event to which HealthNet reacts.

        Raises: Problem 403, 404, 400 for no reason, 409 for a closed case, and for the agency itself.
        """
        require_operator(requester)
        clean = clean_text(reason, SHORTEST, LONGEST, "reason")
        async with self._db.transaction() as conn:
            case = await require_case(conn, Scope(None), case_id, lock=True)
            require_active(case)
            require_real(case)
            tenant = await self._tenants.tenant(requester, case.tenant_id)
            if tenant.organization_id is None:
                raise Problem(409, "conflict", N_("The agency itself has no site in HealthNet."))
            containment = _new(requester, case_id, "quarantine", tenant.organization_id, tenant.name, clean)
            event = QuarantineRequested(
                tenant_id=case.tenant_id,
                case_id=case_id,
                containment_id=containment.containment_id,
                organization_id=tenant.organization_id,
                reason=clean,
            )
            rows = act_rows(self._journal, requester, case, event, "quarantine", text=clean)
            await insert(conn, [containment_store.containment_row(containment), *rows])

    async def _suspend(self, requester: Requester, found: Containment) -> None:
        entry = await self._directory.practitioner(found.holder_id) or await self._directory.organization(
            found.holder_id
        )
        if entry is None:
            raise Problem(409, "conflict", N_("Nobody in the directory has this identifier."))
        await self._directory.suspensions.suspend(entry, found.reason, actor=requester.actor, origin=requester.origin)
        await self._access.end_sign_ins(found.holder_id, actor=requester.actor)

    async def _holder(self, identifier: str) -> Practitioner | Organization | None:
        """Return the professional or the organisation with a key or an identifier, or None."""
        if not identifier:
            return None
        try:
            key = parse_uuid(identifier)
        except ValueError:
            return await self._directory.find_practitioner(None, identifier) or (
                await self._directory.find_organization(None, identifier)
            )
        return await self._directory.practitioner(key) or await self._directory.organization(key)


def _new(requester: Requester, case_id: UUID, kind: str, holder_id: UUID, holder: str, reason: str) -> Containment:
    return Containment(
        containment_id=uuid7(),
        case_id=case_id,
        kind=kind,
        holder_id=holder_id,
        holder=holder,
        reason=reason,
        state="requested",
        requested_by_id=requester.id,
        requested_by=requester.name,
        requested_at=clock.now(),
    )
