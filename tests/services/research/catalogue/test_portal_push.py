"""The catalogue on the national open data portal, against the udata of the tests."""

import asyncio

import httpx
import pytest

from esante.core.open_data import PortalError, PortalTarget
from esante.services.research.catalogue.portal_push import FEEDS, CataloguePublisher
from tests.support.signed_in_pages import BASE
from tests.support.udata import target, udata
from tests.support.udata_portal import datasets_of, resources_of

__all__ = ["target", "udata"]
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


async def test_feeds_are_linked_once_in_a_public_dataset(db, target):
    publisher, other = (CataloguePublisher(db, target, BASE) for _ in range(2))
    done = await asyncio.gather(publisher.push(), other.push())
    assert sorted(map(bool, done)) == [False, True]  # one process at a time
    (dataset,) = datasets_of(target)
    assert dataset["private"] is False and dataset["frequency"] == "daily"
    assert {one["url"] for one in resources_of(target)} == {f"{BASE}/research/{name}" for name in FEEDS}
    assert await publisher.push() == []


async def test_push_that_was_broken_off_is_finished_by_the_next(db, target):
    closed = PortalTarget("http://127.0.0.1:9", target.key, target.organization)
    with pytest.raises(PortalError, match="cannot be reached"):
        await CataloguePublisher(db, closed, BASE).push()
    publisher = CataloguePublisher(db, target, BASE)
    assert await publisher.push() != []
    (dataset,) = datasets_of(target)
    url = f"{target.url}/api/1/datasets/{dataset['id']}/resources/{resources_of(target)[0]['id']}/"
    assert httpx.delete(url, headers={"X-API-KEY": target.key}, timeout=30).is_success
    assert [one.split()[0] for one in await publisher.push()] == ["linked"]
    assert len(resources_of(target)) == len(FEEDS)
