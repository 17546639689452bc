"""An OpenID provider that others wrote (npm oidc-provider), as a process, and people who sign in at it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("openid_provider.mjs")
SECRET = "secret-of-the-test"


@contextmanager
def openid_provider(*redirect_uris: str) -> Iterator[str]:
    """Run a provider whose client is `esante`; yield its issuer. Skips the test where npm's package is missing."""
    node = shutil.which("node")
    if node is None or not (ROOT / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("no OpenID provider here: make install")
    process = subprocess.Popen(
        [node, str(SCRIPT), json.dumps({"redirect_uris": redirect_uris})], stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        assert port.isdigit(), "the provider did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


async def sign_in_at(address: str, person: dict[str, object]) -> str:
    """Sign in as a person at the provider; return the address to which it sends the browser back."""
    async with httpx.AsyncClient() as http:
        for _ in range(10):
            answer = await http.get(address)
            if answer.status_code == 200 and re.search("<form", answer.text):
                answer = await http.post(address, data={"person": json.dumps(person)})
            if "location" not in answer.headers:
                raise AssertionError(f"{answer.status_code}: {answer.text[:500]}")
            following = urljoin(address, answer.headers["location"])
            if "/signin/with/" in following:
                return following
            address = following
    raise AssertionError("the provider does not send the browser back")
