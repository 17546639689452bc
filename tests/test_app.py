"""The application as an outsider reaches it: redirects and the scheme of its own address."""

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.app import create_app
from esante.settings import Settings


async def signin(request: Request) -> Response:
    return JSONResponse({})


async def test_request_with_a_foreign_host_is_not_redirected_to_it(tmp_path):
    app = create_app(Settings(data=tmp_path))
    app.router.routes.append(Route("/signin", signin))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://evil.example") as client:
        answer = await client.get("/signin/")
    assert answer.status_code == 404
    assert "evil" not in str(answer.headers)


@pytest.mark.parametrize(("url", "secure"), [("https://esante.test", True), ("http://esante.test", False)])
def test_application_is_secure_when_its_address_is_https(tmp_path, url, secure):
    assert create_app(Settings(data=tmp_path, public_url=url)).state.secure is secure
