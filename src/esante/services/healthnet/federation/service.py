"""The use cases of federations: propose an agreement, decide it, end it, state our side, connect the other network."""

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import date
from uuid import UUID

from esante.core import clock
from esante.core.journal import Initiator, Journal, NoteVerifier, Signer
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    decode_uuid_cursor,
    encode_cursor,
)
from esante.identity.access import Requester, require_operator
from esante.services.healthnet.addresses.model import SiteAddresses
from esante.services.healthnet.addresses.plan import AddressPlan
from esante.services.healthnet.controller.connections import Connections
from esante.services.healthnet.controller.model import SiteFacts
from esante.services.healthnet.federation import federation_store
from esante.services.healthnet.federation.document import (
    MAX_CHARACTERS,
    NotAgreed,
    document_lines,
    overlaps,
    verify_document,
)
from esante.services.healthnet.federation.model import (
    Agreement,
    AgreementChanged,
    AgreementState,
    FederationKind,
    Statement,
    Terms,
)
from esante.services.healthnet.federation.rules import federation_faults
from esante.services.healthnet.policy.model import FEDERATION, Policy

log = logging.getLogger(__name__)
PAGE_SIZE = 20
_OPEN = (AgreementState.PROPOSED, AgreementState.ACTIVE)


class Federations:
    """Agreements with networks of other operators. `signer`: the key of this network; its name is that of the zone."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        plan: AddressPlan,
        connections: Connections,
        signer: Signer,
        policy: Callable[[], Awaitable[Policy]],
        vocabulary: tuple[Collection[str], Collection[str]],
    ) -> None:
        self._db, self._journal, self._plan, self._connections = db, journal, plan, connections
        self.signer, self._policy, self._vocabulary = signer, policy, vocabulary

    async def propose(self, requester: Requester, document: str, peer_key: str) -> Agreement:
        """Keep what another operator signed as a proposal, and return it.

        Raises: Problem 403 for others than operators; 400 for a document that is forged, of another key or network,
        past its time, come again, that contradicts itself or overlaps with other networks; 409 while one waits.
        """
        require_operator(requester)
        if len(document) > MAX_CHARACTERS:
            raise _refused(f"the document has more than {MAX_CHARACTERS:,} characters")
        try:
            verifier = NoteVerifier.parse(peer_key.strip())
        except ValueError as error:
            title = N_("This is no key of another network.")
            raise bad_request("peer_key", title, code="value", detail=str(error)) from error
        try:
            statement = verify_document(document.replace("\r\n", "\n").strip() + "\n", verifier)
            self._check(statement)
        except NotAgreed as error:
            raise _refused(str(error)) from error
        terms = statement.terms
        async with self._db.transaction() as conn:
            await federation_store.lock(conn)
            before = await federation_store.fetch_of(conn, terms.federation)
            await self._check_against(conn, statement, str(verifier), before)
            active = next((one for one in before if one.state is AgreementState.ACTIVE), None)
            agreement = Agreement(
                agreement_id=uuid7(),
                site=active.site if active else await federation_store.next_site(conn),
                peer_key=str(verifier),
                number=statement.number,
                network6=statement.network6,
                network4=statement.network4,
                terms=terms,
                document=document,
                state=AgreementState.PROPOSED,
                proposed_at=clock.now(),
                proposed_by=requester.name,
                proposed_by_id=requester.id,
            )
            await federation_store.insert_agreement(conn, agreement)
            await self._record(conn, requester, agreement)
        return agreement

    def _check(self, statement: Statement) -> None:
        """Refuse a statement for another network, past its time, or with our own addresses. Raises: NotAgreed."""
        if statement.recipient != self.signer.name:
            raise NotAgreed(f"the document is for {statement.recipient[:80]}, this network is {self.signer.name}")
        if statement.terms.valid_until < today():
            raise NotAgreed("the agreement has ended already")
        if overlaps([statement.network6, statement.network4], [self._plan.prefix6, self._plan.prefix4]):
            raise NotAgreed("its prefixes overlap with those of this network; the other operator must translate them")

    async def _check_against(
        self, conn: Connection, statement: Statement, peer_key: str, before: list[Agreement]
    ) -> None:
        """Refuse what other agreements contradict. Raises: Problem 400, 409."""
        terms = statement.terms
        if any(one.state is AgreementState.PROPOSED for one in before):
            raise Problem(409, "conflict", N_("An agreement with this network waits for a decision already."))
        if before and statement.number <= before[0].number:
            raise _refused(f"number {statement.number} came before: the newest is {before[0].number}")
        if before and (before[0].peer_key, before[0].terms.kind) != (peer_key, terms.kind):
            raise _refused("it has another key or kind than the one before; agree a new name of the federation")
        for other in await federation_store.fetch_states(conn, _OPEN):
            if other.terms.federation == terms.federation:
                continue
            if overlaps([statement.network6, statement.network4], [other.network6, other.network4]):
                raise _refused(f"its prefixes overlap with those of federation {other.terms.federation}")

    async def decide(self, requester: Requester, agreement_id: UUID, *, approved: bool, reason: str = "") -> Agreement:
        """Approve or refuse a proposal of another operator of this agency; return it.

        Raises: Problem 403 for others than operators and for who proposed it, 404, 400 without a reason for a refusal
        and when the policy in force allows more than the agreement names, 409 for one that does not wait.
        """
        require_operator(requester)
        text = "" if approved and not reason.strip() else clean_text(reason, 10, 500, "reason")
        async with self._db.transaction() as conn:
            await federation_store.lock(conn)
            found = await self._open(conn, agreement_id, AgreementState.PROPOSED)
            if found.proposed_by_id == requester.id:
                raise Problem(403, "forbidden", N_("Somebody else has to decide what you proposed."))
            if approved:
                await self._approve(conn, requester, found)
            state = AgreementState.ACTIVE if approved else AgreementState.REFUSED
            return await self._decided(conn, requester, found, state, text)

    async def _approve(self, conn: Connection, requester: Requester, found: Agreement) -> None:
        """End the agreement that this one replaces, once the policy in force allows nothing beyond it."""
        active = {one.terms.federation: one for one in await federation_store.fetch_states(conn, _OPEN[1:])}
        terms = {key: one.terms for key, one in active.items()} | {found.terms.federation: found.terms}
        faults = self.faults(await self._policy(), terms)
        concerned = [fault for fault in faults if f"federation {found.terms.federation} " in fault]
        if found.terms.valid_until < today():
            raise _refused("the agreement has ended already")
        if concerned:
            raise _refused(concerned[0])
        if before := active.get(found.terms.federation):
            await self._decided(conn, requester, before, AgreementState.SUPERSEDED, "")

    async def end(self, requester: Requester, agreement_id: UUID, reason: str) -> Agreement:
        """End an agreement at once: the network is cut off in the same moment. Raises: Problem 403, 404, 400, 409."""
        require_operator(requester)
        text = clean_text(reason, 10, 500, "reason")
        async with self._db.transaction() as conn:
            await federation_store.lock(conn)
            found = await self._open(conn, agreement_id, AgreementState.ACTIVE)
            ended = await self._decided(conn, requester, found, AgreementState.ENDED, text)
        await self.follow()
        return ended

    async def _open(self, conn: Connection, agreement_id: UUID, state: AgreementState) -> Agreement:
        found = await federation_store.fetch(conn, agreement_id)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        if found.state is not state:
            raise Problem(409, "conflict", N_("This is not possible in the present state of the agreement."))
        return found

    async def _decided(
        self, conn: Connection, requester: Requester, found: Agreement, state: AgreementState, reason: str
    ) -> Agreement:
        changed = replace(found, state=state, decided_at=clock.now(), decided_by=requester.name, reason=reason)
        await federation_store.update_state(conn, changed)
        await self._record(conn, requester, changed)
        return changed

    async def _record(self, conn: Connection, initiator: Initiator, one: Agreement) -> None:
        event = AgreementChanged(
            federation=one.terms.federation, number=one.number, state=one.state.value, reason=one.reason
        )
        await insert(conn, self._journal.rows_for(initiator, event))

    def faults(self, policy: Policy, terms: dict[str, Terms]) -> list[str]:
        """Return what a policy allows beyond agreements, as texts with line and remedy."""
        return [*map(str, federation_faults(policy, terms, *self._vocabulary))]

    async def find(self, requester: Requester, agreement_id: UUID) -> Agreement:
        """Return an agreement, for operators. Raises: Problem 403, 404."""
        require_operator(requester)
        found = await federation_store.fetch(self._db, agreement_id)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return found

    async def page(self, requester: Requester, text: str, cursor: str | None) -> Page[Agreement]:
        """Return a page of agreements, for operators, the newest first. Raises: Problem 403, 400."""
        require_operator(requester)
        found = await federation_store.fetch_page(self._db, text, decode_uuid_cursor(cursor), PAGE_SIZE + 1)
        more = encode_cursor(found[PAGE_SIZE - 1].agreement_id) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], more)

    async def count_waiting(self) -> int:
        """Return how many proposals wait for a decision."""
        return len(await federation_store.fetch_states(self._db, _OPEN[:1]))

    async def export(self, requester: Requester, agreement_id: UUID) -> str:
        """Return our side of an agreement as a signed document for the other operator. Raises: Problem 403, 404."""
        found = await self.find(requester, agreement_id)
        terms = found.terms
        mirrored = replace(terms, uses=terms.offers, offers=terms.uses, sites=frozenset())
        if terms.kind is FederationKind.CROSS_BORDER:
            mirrored = replace(mirrored, sites=terms.sites)
        statement = Statement(
            sender=self.signer.name,
            recipient=NoteVerifier.parse(found.peer_key).name,
            number=found.number,
            network6=self._plan.prefix6,
            network4=self._plan.prefix4,
            terms=mirrored,
        )
        return self.signer.sign(*document_lines(statement))

    async def in_force(self, day: date) -> dict[str, Agreement]:
        """Return the agreements that hold on a day, by federation."""
        found = await federation_store.fetch_states(self._db, _OPEN[1:])
        return {one.terms.federation: one for one in found if one.terms.is_in_force(day)}

    async def follow(self) -> None:
        """Connect the networks whose agreement holds, and cut off all others.

        A network to which the policy in force allows more than its agreement names is cut off too: nobody agreed that.
        """
        if not await self._connections.has_policy():
            return
        agreed = await self.in_force(today())
        faults = self.faults(await self._policy(), {key: one.terms for key, one in agreed.items()})
        beyond = {key for key in agreed if any(f"federation {key} " in fault for fault in faults)}
        allowed = {one.site: one for key, one in agreed.items() if key not in beyond}
        known = {one.facts.site: one for one in await self._connections.all()}
        for key in sorted(beyond):
            log.error("federation %s is cut off: the policy allows it more than was agreed", key)
        for site, one in allowed.items():
            before = known.get(site)
            addresses = SiteAddresses(one.network6, one.network4)
            kind = FEDERATION + one.terms.federation
            endpoint = before.facts.endpoint if before else ""
            await self._connections.put(SiteFacts(site=site, kind=kind, addresses=addresses, endpoint=endpoint))
            if before and before.is_suspended:
                await self._connections.set_suspended(site, False)
        for site, connection in known.items():
            is_cut = site not in allowed and connection.facts.kind.startswith(FEDERATION)
            if is_cut and not connection.is_suspended:
                await self._connections.set_suspended(site, True)


def _refused(reason: str) -> Problem:
    return bad_request("document", N_("This agreement is not accepted."), code="value", detail=reason)
