"""Links to reports of runs: made and revoked by the vendor, opened by whoever has them."""

from uuid import UUID

from esante.core import clock
from esante.core.journal import Actor, Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, network_of
from esante.identity.access import SECRET_PATTERN, Access, Requester, generate_secret, hash_secret
from esante.services.conformance.kits import run_store
from esante.services.conformance.kits.run_model import (
    KeptRun,
    RunLink,
    RunLinkRevoked,
    RunShared,
    SharedRunRead,
)
from esante.services.conformance.kits.runs import Runs
from esante.services.conformance.terms import terms_on

MOST_LINKS = 10
"""Links of a report that work at once."""


class RunLinks:
    """The links to reports. The code in a link is shown once; only its SHA-256 is kept. Every act is journalled."""

    def __init__(self, db: Database, journal: Journal, access: Access, runs: Runs) -> None:
        self._db, self._journal, self._access, self._runs = db, journal, access, runs

    async def of_run(self, run: KeptRun) -> list[RunLink]:
        """Return the links to the report of a run that work, newest first."""
        now = clock.now()
        return [link for link in await run_store.fetch_links(self._db, run.run_id) if link.works(now)]

    async def create(self, requester: Requester, run_id: UUID) -> tuple[RunLink, str]:
        """Make a link to the report of the requester's own run; return it with its code.

        Raises: Problem 404 for any other run or one without a report, 409 for too many links.
        """
        run = await self._runs.find(requester, run_id)
        self._runs.content(run)
        if len(await self.of_run(run)) >= MOST_LINKS:
            raise Problem(409, "conflict", N_("You have too many links."), remedy=N_("End an old one first."))
        now, code = clock.now(), generate_secret()
        link = RunLink(
            link_id=uuid7(), run_id=run_id, created_at=now, expires_at=now + terms_on(today()).link_lifetime
        )
        event = RunShared(run_id=run_id, link_id=link.link_id, until=link.expires_at)
        rows = [run_store.link_row(link, hash_secret(code)), *self._journal.rows_for(requester, event)]
        await self._db.write(rows)
        return link, code

    async def revoke(self, requester: Requester, run_id: UUID, link_id: UUID) -> None:
        """Revoke a link to the report of the requester's own run. Raises: Problem 404 for any other."""
        await self._runs.find(requester, run_id)
        async with self._db.transaction() as conn:
            if not await run_store.revoke_link(conn, run_id, link_id, clock.now()):
                raise Problem(404, "not-found", NOT_FOUND)
            event = RunLinkRevoked(run_id=run_id, link_id=link_id)
            await insert(conn, self._journal.rows_for(requester, event))

    async def open(self, code: str, reader: Requester | None, origin: str) -> KeptRun:
        """Return the run whose report a link's code opens, for anybody (`reader` None: nobody is signed in).

        Raises: Problem 400 for a code that does not work, 429 after too many such from a network.
        """
        known = SECRET_PATTERN.fullmatch(code)
        link = await run_store.find_link(self._db, hash_secret(code)) if known else None
        run = await run_store.find_run(self._db, link.run_id) if link and link.works(clock.now()) else None
        if link is None or run is None:
            terms = terms_on(today())
            limits = {f"conformance-link:{network_of(origin)}": terms.per_origin}
            await self._access.count_attempts(limits, terms.window, reader, origin)
            raise bad_request(
                "code",
                N_("This link does not work."),
                N_("It may have ended. Ask the vendor for a new one."),
                code="value",
            )
        event = SharedRunRead(run_id=run.run_id, link_id=link.link_id)
        actor = reader.actor if reader else Actor(kind="")
        await self._db.write(self._journal.rows(event, actor=actor, origin=origin))
        return run
