"""What a person sees of secondary use: in which datasets they have data, and which permits cover these."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from esante.core.storage import Database
from esante.core.time_zone import day_of, today
from esante.core.web import Page
from esante.identity.access import Requester
from esante.services.research.datasets.catalogue import load_datasets
from esante.services.research.opt_out import opt_out_store
from esante.services.research.opt_out.model import OptOut
from esante.services.research.permits.model import Permit, PermitState
from esante.services.research.permits.rules import state_on
from esante.services.research.permits.service import Permits


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPermit:
    """A permit that covers a dataset in which a person has data.

    `left_out`: they have opted out since before its first day, so their data were never used under it.
    """

    permit: Permit
    state: PermitState
    left_out: bool


class OwnUse:
    """Shows people the secondary use of data such as theirs. Nobody else asks for it."""

    def __init__(self, db: Database, permits: Permits) -> None:
        self._db, self._permits = db, permits

    async def datasets(self, requester: Requester) -> tuple[str, ...]:
        """Return the names of the datasets in which the person whom the requester is, or represents, has data."""
        person_id = requester.only_person_id
        types = await opt_out_store.fetch_types(self._db, person_id) if person_id else frozenset()
        return tuple(one.name for one in load_datasets() if any(table.resource in types for table in one.tables))

    async def permits(
        self, datasets: Collection[str], history: Sequence[OptOut], cursor: str | None = None
    ) -> Page[OwnPermit]:
        """Return a page of the permits that cover some datasets, newest first; `history`: of the person's opt-outs."""
        page = await self._permits.published(datasets=datasets, cursor=cursor)
        found = [
            OwnPermit(permit=one, state=state_on(one, today()), left_out=is_left_out(one, history))
            for one in page.items
        ]
        return Page(found, page.next)


def is_left_out(permit: Permit, history: Sequence[OptOut]) -> bool:
    """Return whether a person was out from before the first day of a permit to its end, or to now."""
    return any(
        day_of(one.since) < permit.valid_from and (one.until is None or day_of(one.until) > permit.valid_to)
        for one in history
    )
