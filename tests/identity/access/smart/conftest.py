"""Registered clients, a user and the application for the tests of OAuth and SMART."""

import httpx
import pytest

from tests.identity.access.conftest import BASE
from tests.support.smart_apps import app, browser, clinic, key, platform, registered, signed_in

__all__ = ["app", "browser", "clinic", "key", "platform", "registered", "signed_in"]


@pytest.fixture
async def http(platform):
    """An HTTP client of the platform."""
    transport = httpx.ASGITransport(platform)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Accept-Language": "en"}) as client:
        yield client
