"""The task that publishes releases on the portal, against the udata of the tests."""

import asyncio
from datetime import timedelta

import pytest

from esante.core.open_data import PortalError, PortalTarget
from esante.services.bulletin import PortalPublisher
from tests.support.bulletin_issue import BASE
from tests.support.bulletin_journal import (
    LAST,
    NOW,
    acknowledge_all,
    load_past,
    open_bulletin,
)
from tests.support.udata_portal import dataset_state, datasets_of, resources_of

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


async def test_only_released_issues_are_pushed(target, fresh, tmp_path):
    await load_past(fresh, 1, size=0.1)
    bulletin = open_bulletin(fresh, tmp_path)
    publisher, other = (PortalPublisher(fresh.db, target, BASE, tmp_path / "files") for _ in range(2))
    await bulletin.build(LAST, "anna")
    await acknowledge_all(bulletin)
    hour = NOW + timedelta(hours=1)
    await bulletin.release(LAST, "ben", embargo_until=hour, now=NOW)
    assert await publisher.push() == []
    assert datasets_of(target) == []
    closed_port = PortalTarget("http://127.0.0.1:9", target.key, target.organization)
    await bulletin.release_due(hour)
    with pytest.raises(PortalError, match="cannot be reached"):
        await PortalPublisher(fresh.db, closed_port, BASE, tmp_path / "files").push()
    done = await asyncio.gather(publisher.push(), other.push())
    assert sorted(map(bool, done)) == [False, True]  # one process at a time
    assert dataset_state(target)["score"] == 1.0
    assert any(LAST in one["title"] or f"-{LAST}-" in str(one["extras"]) for one in resources_of(target))
    assert await publisher.push() == []
