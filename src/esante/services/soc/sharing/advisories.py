"""The use cases of advisories: publish, list, acknowledge, withdraw."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.web import LANGUAGES, N_, NOT_FOUND, Page, Problem, bad_request, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester, require_operator
from esante.services.soc.intelligence.model import Tlp
from esante.services.soc.intelligence.observables import guess_observable
from esante.services.soc.sharing import sharing_store
from esante.services.soc.sharing.model import (
    Advisory,
    AdvisoryAcknowledged,
    AdvisoryPublished,
    AdvisoryText,
    AdvisoryWithdrawn,
    Receipt,
)
from esante.services.soc.tenants.service import Tenants

PAGE_SIZE = 20
MAX_TITLE, MAX_TEXT, MAX_INDICATORS = 150, 10_000, 500


class Advisories:
    """The advisories of the agency to members."""

    def __init__(self, db: Database, journal: Journal, tenants: Tenants) -> None:
        self._db, self._journal, self._tenants = db, journal, tenants

    async def publish(
        self,
        requester: Requester,
        texts: Mapping[str, AdvisoryText],
        tlp: Tlp,
        *,
        members: Sequence[UUID] = (),
        indicators: str = "",
        is_exercise: bool = False,
    ) -> Advisory:
        """Send an advisory to members, none: to all that are active. `indicators`: one a line.

        Raises: Problem 403, 400 for a text that is missing in a language, or a line that is no observable.
        """
        require_operator(requester)
        for language in LANGUAGES:
            one = texts.get(language, AdvisoryText("", ""))
            if not 1 <= len(one.title.strip()) <= MAX_TITLE or not 1 <= len(one.text.strip()) <= MAX_TEXT:
                remedy = N_("Write title and text in all four languages; each member reads its own.")
                raise bad_request(f"title_{language}", N_("A text is missing or too long."), remedy, code="value")
        lines = [line.strip() for line in indicators.splitlines() if line.strip()]
        found = [(line, guess_observable(line)) for line in lines[: MAX_INDICATORS + 1]]
        wrong = next((line for line, observable in found if observable is None), None)
        if wrong is not None or len(lines) > MAX_INDICATORS:
            remedy = N_("Write one address, domain, URL, hash or mail address on each line, 500 at most.")
            raise bad_request("indicators", N_("A line is no observable."), remedy, code="value")
        advisory = Advisory(
            advisory_id=uuid7(),
            tlp=tlp,
            is_exercise=is_exercise,
            to_all=not members,
            texts=texts,
            indicators=[observable for _, observable in found if observable is not None],
            written_by=requester.name,
            published_at=clock.now(),
        )
        async with self._db.transaction() as conn:
            active = await sharing_store.fetch_active_tenants(conn)
            to = [one for one in active if one in set(members)] if members else active
            if not to:
                raise bad_request("members", N_("No member would get this advisory."), code="value")
            event = AdvisoryPublished(
                advisory_id=advisory.advisory_id, tlp=tlp, members=len(to), is_exercise=is_exercise
            )
            rows = [*sharing_store.advisory_rows(advisory, to), *self._journal.rows_for(requester, event)]
            await insert(conn, rows)
        return advisory

    async def advisory(self, requester: Requester, advisory_id: UUID) -> Advisory:
        """Return an advisory. Raises: Problem 404 for an unknown one, and for one that the requester does not get."""
        scope = await self._tenants.scope_of(requester)
        found = await sharing_store.fetch_advisory(self._db, scope, advisory_id)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return found

    async def page(self, requester: Requester, text: str = "", cursor: str | None = None) -> Page[Advisory]:
        """Return a page of the advisories that somebody sees, the newest first. Raises: Problem 404, 400."""
        scope = await self._tenants.scope_of(requester)
        before = decode_uuid_cursor(cursor)
        found = await sharing_store.fetch_advisories(self._db, scope, text.strip(), before, PAGE_SIZE + 1)
        shown = found[:PAGE_SIZE]
        return Page(shown, encode_cursor(shown[-1].advisory_id) if len(found) > PAGE_SIZE else None)

    async def receipts(self, requester: Requester, advisory_id: UUID) -> list[Receipt]:
        """Return who got an advisory and who confirmed it. Raises: Problem 403."""
        require_operator(requester)
        return await sharing_store.fetch_receipts(self._db, advisory_id)

    async def acknowledge(self, requester: Requester, advisory_id: UUID) -> None:
        """Confirm for a member that an advisory was read; again: nothing happens. Raises: Problem 404."""
        advisory = await self.advisory(requester, advisory_id)
        scope = await self._tenants.scope_of(requester)
        if scope.tenant_id is None:
            raise Problem(404, "not-found", NOT_FOUND)
        async with self._db.transaction() as conn:
            if await sharing_store.acknowledge(conn, advisory_id, scope.tenant_id, requester.name):
                event = AdvisoryAcknowledged(
                    advisory_id=advisory_id, tenant_id=scope.tenant_id, is_exercise=advisory.is_exercise
                )
                await insert(conn, self._journal.rows_for(requester, event))

    async def withdraw(self, requester: Requester, advisory_id: UUID) -> None:
        """Withdraw an advisory: members do not see it any more. Raises: Problem 403, 404."""
        require_operator(requester)
        advisory = await self.advisory(requester, advisory_id)
        async with self._db.transaction() as conn:
            if await sharing_store.withdraw(conn, advisory_id):
                event = AdvisoryWithdrawn(advisory_id=advisory_id, is_exercise=advisory.is_exercise)
                await insert(conn, self._journal.rows_for(requester, event))
