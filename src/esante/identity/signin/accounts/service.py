"""The use cases of operators: invite colleagues, end their accounts, and recover accounts with two people."""

from uuid import UUID

from asyncpg import UniqueViolationError

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    clean_text,
    decode_uuid_cursor,
    encode_cursor,
)
from esante.identity.access import Access, Requester, require_operator
from esante.identity.signin.accounts import operator_store, recovery_store
from esante.identity.signin.accounts.holders import Holders, holder_of
from esante.identity.signin.activation.codes import Activation
from esante.identity.signin.model import (
    CodePurpose,
    Holder,
    Operator,
    OperatorChanged,
    Recovery,
    RecoveryChanged,
    RecoveryState,
)
from esante.identity.signin.passkeys.service import filed_under

PAGE_SIZE = 20
MOST_COUNTED = 100
SHORTEST_NAME, LONGEST_NAME = 2, 100
SHORTEST_REASON, LONGEST_REASON = 10, 500


class Accounts:
    """The accounts of people, for operators. Every method raises Problem 403 for a requester of another kind.

    `activation_address`: where a code is entered.
    """

    def __init__(
        self,
        db: Database,
        journal: Journal,
        access: Access,
        holders: Holders,
        activation: Activation,
        base_url: str,
    ) -> None:
        self._db, self._journal, self._access = db, journal, access
        self._holders, self._activation = holders, activation
        self.activation_address = f"{base_url}/activate"

    # Staff

    async def operators(self, requester: Requester) -> list[Operator]:
        """Return the staff, those who may no longer sign in too, by name."""
        require_operator(requester)
        return await operator_store.fetch_operators(self._db)

    async def invite(self, requester: Requester, name: str) -> tuple[Operator, str]:
        """Invite an operator; return them with the code for their first passkey. Raises: Problem 400 for the name."""
        require_operator(requester)
        operator = Operator(
            operator_id=uuid7(),
            name=clean_text(name, SHORTEST_NAME, LONGEST_NAME, "name"),
            invited_by=requester.name,
            invited_at=clock.now(),
        )
        event = OperatorChanged(operator_id=operator.operator_id, name=operator.name, change="invited")
        holder = Holder("operator", operator.operator_id, operator.name)
        async with self._db.transaction() as conn:
            await insert(conn, [operator_store.operator_row(operator), *self._journal.rows_for(requester, event)])
            code = await self._activation.issue(conn, requester, holder, CodePurpose.ACTIVATION)
        return operator, code

    async def end(self, requester: Requester, operator_id: UUID) -> Operator:
        """Let an operator no longer sign in, and end what they are signed in with. Raises: Problem 404."""
        require_operator(requester)
        async with self._db.transaction() as conn:
            operator = await operator_store.end_operator(conn, operator_id, clock.now())
            if operator is None:
                raise Problem(404, "not-found", NOT_FOUND)
            event = OperatorChanged(operator_id=operator_id, name=operator.name, change="ended")
            await insert(conn, self._journal.rows_for(requester, event))
        await self._access.end_sign_ins(operator_id, actor=requester.actor)
        return operator

    # Recoveries

    async def ask_recovery(self, requester: Requester, kind: str, holder_id: UUID, reason: str) -> Recovery:
        """Ask that somebody who lost all their passkeys may sign in again; another operator confirms it.

        `reason`: how the person was identified. Raises: Problem 400 for the reason, 404 for an unknown holder, 409
        where a recovery of them is open already.
        """
        require_operator(requester)
        reason = clean_text(reason, SHORTEST_REASON, LONGEST_REASON, "reason")
        found = await self._holders.find(kind, holder_id)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        recovery = Recovery(
            recovery_id=uuid7(),
            holder_kind=kind,
            holder_id=holder_id,
            holder=found.name,
            reason=reason,
            state=RecoveryState.OPEN,
            asked_at=clock.now(),
            asked_by=requester.id,
            asker=requester.name,
        )
        try:
            async with self._db.transaction() as conn:
                rows = self._journal.rows_for(requester, _changed(recovery, reason), person_id=_person(recovery))
                await insert(conn, [recovery_store.recovery_row(recovery), *rows])
        except UniqueViolationError as error:
            raise Problem(
                409, "conflict", N_("A recovery of this account is open already."), remedy=N_("See the recoveries.")
            ) from error
        return recovery

    async def confirm_recovery(self, requester: Requester, recovery_id: UUID) -> tuple[Recovery, Holder, str]:
        """Confirm the recovery that another operator asked for; return it, its holder and their code.

        Raises: Problem 403 for one's own request or account, 404 for an unknown recovery, 409 for a decided one.
        """
        require_operator(requester)
        recovery, code = await self._decide(requester, recovery_id, RecoveryState.CONFIRMED)
        return recovery, Holder(recovery.holder_kind, recovery.holder_id, recovery.holder), code

    async def withdraw_recovery(self, requester: Requester, recovery_id: UUID) -> None:
        """Withdraw a recovery, one's own or another's. Raises: Problem 404, 409."""
        require_operator(requester)
        await self._decide(requester, recovery_id, RecoveryState.WITHDRAWN)

    async def _decide(self, requester: Requester, recovery_id: UUID, state: RecoveryState) -> tuple[Recovery, str]:
        code = ""
        async with self._db.transaction() as conn:
            recovery = await recovery_store.lock_recovery(conn, recovery_id)
            if recovery is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if recovery.state is not RecoveryState.OPEN:
                raise Problem(
                    409, "conflict", N_("This recovery is decided already."), remedy=N_("See the recoveries.")
                )
            if state is RecoveryState.CONFIRMED:
                if requester.id in (recovery.asked_by, recovery.holder_id):
                    raise Problem(
                        403,
                        "forbidden",
                        N_("You cannot confirm this recovery yourself."),
                        remedy=N_("Ask another operator to confirm it."),
                    )
                holder = Holder(recovery.holder_kind, recovery.holder_id, recovery.holder)
                code = await self._activation.issue(conn, requester, holder, CodePurpose.RECOVERY)
            await recovery_store.decide(conn, recovery_id, state, clock.now(), requester.id, requester.name)
            rows = self._journal.rows_for(requester, _changed(recovery, change=state), person_id=_person(recovery))
            await insert(conn, rows)
        return recovery, code

    async def recoveries(
        self, requester: Requester, text: str = "", state: str = "", cursor: str | None = None
    ) -> Page[Recovery]:
        """Return a page of recoveries, the newest first. Raises: Problem 400 for a wrong cursor."""
        require_operator(requester)
        before = decode_uuid_cursor(cursor)
        found = await recovery_store.search(self._db, text.lower().split(), state, before, PAGE_SIZE + 1)
        following = encode_cursor(found[PAGE_SIZE - 1].recovery_id) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], following)

    async def count_waiting(self, requester: Requester) -> int:
        """Return how many recoveries of others wait to be confirmed; at most `MOST_COUNTED`."""
        require_operator(requester)
        return await recovery_store.count_open(self._db, MOST_COUNTED)

    async def holder(self, requester: Requester, kind: str, holder_id: UUID) -> Holder:
        """Return a holder. Raises: Problem 404 for one who is unknown, has died or may no longer sign in."""
        require_operator(requester)
        found = await self._holders.find(kind, holder_id)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return holder_of(found)


def _changed(recovery: Recovery, reason: str = "", change: RecoveryState = RecoveryState.OPEN) -> RecoveryChanged:
    return RecoveryChanged(
        recovery_id=recovery.recovery_id,
        holder_kind=recovery.holder_kind,
        holder_id=recovery.holder_id,
        change=change.value,
        reason=reason,
    )


def _person(recovery: Recovery) -> UUID:
    return filed_under(Holder(recovery.holder_kind, recovery.holder_id, recovery.holder))
