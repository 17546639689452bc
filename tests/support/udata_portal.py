"""Requests to the udata of the tests (`udata_server.py`)."""

import httpx

from esante.services.bulletin.dissemination.portal_push import push_editions
from tests.support.bulletin_issue import BASE


async def push_to(target, editions, **options):
    """Push editions with a client of its own (`options` of httpx.AsyncClient); return the steps made."""
    async with httpx.AsyncClient(timeout=30, **options) as client:
        return await push_editions(target, editions, BASE, client)


def datasets_of(target):
    """Return all datasets of the organisation, as its members see them."""
    url = f"{target.url}/api/1/organizations/{target.organization}/datasets/"
    return httpx.get(url, headers={"X-API-KEY": target.key}, timeout=30).json()["data"]


def dataset_state(target):
    """Return the state of the only dataset: titles of its resources, quality, whether it is private."""
    (dataset,) = datasets_of(target)
    return httpx.get(f"{target.url}/-/dataset/{dataset['id']}", timeout=30).json()


def resources_of(target):
    """Return the resources of the only dataset."""
    (dataset,) = datasets_of(target)
    return httpx.get(f"{target.url}/api/1/datasets/{dataset['id']}/", timeout=30).json()["resources"]


class FailingTransport(httpx.AsyncHTTPTransport):
    """A network that carries `left` requests; the next one arrives, too, but its response is lost.

    `status`: later requests do not arrive and get a response with this status instead.
    """

    def __init__(self, left, *, status=None):
        super().__init__()
        self.left, self.status = left, status

    async def handle_async_request(self, request):
        self.left -= 1
        if self.left < 0 and self.status:
            return httpx.Response(self.status, request=request, text="out of order")
        response = await super().handle_async_request(request)
        if self.left < 0:
            await response.aread()
            raise httpx.ReadError("the connection was lost", request=request)
        return response
