"""The use cases of permits: find the one for a use, list and publish them, withdraw, note what expired."""

from collections.abc import Collection
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, insert
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Page, Problem, clean_text, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester, require_operator
from esante.services.research.permits import permit_store
from esante.services.research.permits.model import Permit, PermitExpired, PermitIssued, PermitWithdrawn
from esante.services.research.permits.permit_store import PermitSearch

PAGE_SIZE = 20
SHORTEST, LONGEST = 10, 2_000
"""Characters of a reason."""


class Permits:
    """All permits and approved data requests. They are issued by decisions on applications only."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def permit_for(
        self, account_id: UUID, permit_id: UUID, conn: Connection | Database | None = None
    ) -> Permit | None:
        """Return a permit on which an account is named, whatever its state, for `check_use`; None: none."""
        return await permit_store.find_for(conn or self._db, account_id, permit_id)

    async def own(self, requester: Requester, cursor: str | None = None, text: str = "") -> Page[Permit]:
        """Return a page of the permits on which the requester, a researcher, is named, newest first."""
        if requester.kind != "researcher":
            raise Problem(403, "forbidden", N_("Only researchers can do this."))
        return await self.published(text, cursor=cursor, member=requester.id)

    async def published(
        self,
        text: str = "",
        state: str = "",
        datasets: Collection[str] | None = None,
        cursor: str | None = None,
        member: UUID | None = None,
    ) -> Page[Permit]:
        """Return a page of permits and approved data requests, newest first; that they exist is public (Article 57).

        Raises: Problem 400 for a wrong cursor.
        """
        wanted = PermitSearch(day=today(), words=text.lower().split(), state=state, datasets=datasets, member=member)
        found = await permit_store.search(self._db, wanted, decode_uuid_cursor(cursor), PAGE_SIZE + 1)
        following = encode_cursor(found[PAGE_SIZE - 1].permit_id) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], following)

    async def find(self, permit_id: UUID) -> Permit:
        """Return a permit; pages for the public show no names of persons. Raises: Problem 404."""
        return _found(await permit_store.find_permit(self._db, permit_id))

    async def issue(self, conn: Connection, requester: Requester, permit: Permit) -> None:
        """Write a permit in the transaction of the decision that grants it."""
        event = PermitIssued(
            permit_id=permit.permit_id,
            application_id=permit.application_id,
            kind=permit.kind.value,
            datasets=permit.datasets,
            valid_from=permit.valid_from,
            valid_to=permit.valid_to,
        )
        await insert(conn, [*permit_store.permit_rows(permit), *self._journal.rows_for(requester, event)])

    async def withdraw(self, requester: Requester, permit_id: UUID, reason: str) -> None:
        """Withdraw a permit at once, so that nothing can be used under it any more (Article 63).

        Raises: Problem 400 without a reason, 403 for a requester who is not an operator, 404, 409 when it is withdrawn
        or has expired.
        """
        require_operator(requester)
        reason = clean_text(reason, SHORTEST, LONGEST, "reason")
        async with self._db.transaction() as conn:
            permit = _found(await permit_store.lock_permit(conn, permit_id))
            if permit.withdrawn_at is not None or permit.valid_to < today():
                raise Problem(
                    409,
                    "conflict",
                    N_("This permit has ended already."),
                    remedy=N_("Open the page again to see its present state."),
                )
            await permit_store.write_withdrawal(conn, permit_id, clock.now(), reason)
            event = PermitWithdrawn(permit_id=permit_id, application_id=permit.application_id, reason=reason)
            await insert(conn, self._journal.rows_for(requester, event))

    async def tend(self) -> None:
        """Journal what expired since; to be run daily."""
        async with self._db.transaction() as conn:
            for permit in await permit_store.mark_expired(conn, today(), clock.now()):
                event = PermitExpired(permit_id=permit.permit_id, application_id=permit.application_id)
                await insert(conn, self._journal.rows(event))


def _found(permit: Permit | None) -> Permit:
    if permit is None:
        raise Problem(404, "not-found", NOT_FOUND)
    return permit
