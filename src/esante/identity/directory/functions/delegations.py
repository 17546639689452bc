"""Delegations: administrative staff who deposit documents and see lists in the name of a professional."""

from datetime import date
from uuid import UUID

from esante.core.journal import Actor, Journal
from esante.core.storage import Database, insert
from esante.core.web import N_, Problem, bad_request
from esante.identity.directory.functions import function_store as store
from esante.identity.directory.functions.model import Delegation, DelegationChanged
from esante.identity.directory.model import Practitioner


class Delegations:
    """Adds and ends delegations; every change is journalled in its transaction."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def of_delegate(self, delegate_id: UUID, on: date) -> list[Delegation]:
        """Return the delegations to somebody that are in force on a day; never cached."""
        return await store.fetch_delegations(self._db, delegate_id, on)

    async def of_professional(self, professional_id: UUID, on: date) -> list[Delegation]:
        """Return the delegations of a professional that are in force on a day; never cached."""
        return await store.fetch_delegations_of(self._db, professional_id, on)

    async def add(
        self,
        delegate: Practitioner,
        professional: Practitioner,
        organization_id: UUID,
        since: date,
        *,
        actor: Actor,
        origin: str = "",
    ) -> Delegation:
        """Let somebody act for a professional at an organisation from a day on; repeating it changes nothing.

        Raises: Problem 400 unless both work there on that day.
        """
        for practitioner in (delegate, professional):
            if not any(
                role.organization_id == organization_id and role.is_in_force(since) for role in practitioner.roles
            ):
                raise bad_request(
                    "organization",
                    N_("A delegation is between two people who work at the same organisation."),
                    N_("Choose an organisation where both work."),
                    code="value",
                )
        new = Delegation(
            delegate_id=delegate.id, professional_id=professional.id, organization_id=organization_id, since=since
        )
        async with self._db.transaction() as conn:
            for known in await store.fetch_delegations(conn, delegate.id, since):
                if (known.professional_id, known.organization_id) == (professional.id, organization_id):
                    return known
            await store.add_delegation(conn, new)
            await insert(conn, self._journal.rows(_changed(new), actor=actor, origin=origin))
        return new

    async def end(
        self, delegate_id: UUID, professional_id: UUID, until: date, *, actor: Actor, origin: str = ""
    ) -> None:
        """End the delegations of a professional to somebody from a day on.

        Raises: Problem 404 when there is none in force on that day.
        """
        async with self._db.transaction() as conn:
            found = [
                one
                for one in await store.fetch_delegations(conn, delegate_id, until)
                if one.professional_id == professional_id
            ]
            for one in found:
                await store.set_delegation_end(conn, one, until)
                ended = Delegation(
                    delegate_id=one.delegate_id,
                    professional_id=one.professional_id,
                    organization_id=one.organization_id,
                    since=one.since,
                    until=until,
                )
                await insert(conn, self._journal.rows(_changed(ended), actor=actor, origin=origin))
        if not found:
            raise Problem(404, "not-found", N_("There is no such delegation."))


def _changed(one: Delegation) -> DelegationChanged:
    return DelegationChanged(
        delegate_id=one.delegate_id,
        professional_id=one.professional_id,
        organization_id=one.organization_id,
        since=one.since,
        until=one.until,
    )
