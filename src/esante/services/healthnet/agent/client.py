"""The controller as an agent sees it: signed requests over HTTPS."""

import hmac
import http.client
import json
import ssl
import time
from base64 import urlsafe_b64decode
from binascii import Error as NoBase64
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from esante.services.healthnet.agent.certificate import keep, request_for
from esante.services.healthnet.agent.signatures import sign_request
from esante.services.healthnet.agent.state import State
from esante.services.healthnet.bundles.format import canonical
from esante.services.healthnet.bundles.secrets import derive, sealing_key_of

BASE = "/healthnet/agent/v1"
LARGEST = 16 * 1024 * 1024
"""Bytes of an answer."""
WAIT = 20
"""Seconds for which a request for a bundle waits at the controller."""


class Unreachable(Exception):
    """The controller did not answer, or not as it should."""


class Rejected(Exception):
    """The controller answered with a refusal; `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class Client:
    """Sends requests to the controller at an address; `ca_file`: the CA of its certificate, "" for that of the system.

    `offset`: seconds that the clock of the controller is ahead of this one, as its answers said.
    """

    def __init__(self, controller: str, ca_file: str) -> None:
        parts = urlsplit(controller)
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.username:
            raise ValueError("the address of the controller begins with https:// and has a host")
        self._address, self._path = controller.rstrip("/"), parts.path.rstrip("/")
        context = ssl.create_default_context(cafile=ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context), _NoRedirect())
        self.offset = 0.0

    def now(self) -> float:
        """Return the time of the controller, as far as known."""
        return time.time() + self.offset

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str], timeout: float) -> bytes:
        """Return the body of an answer. Raises: Unreachable, Rejected."""
        request = Request(  # noqa: S310 - https only
            self._address + path, data=body if method == "POST" else None, method=method, headers=headers
        )
        request.add_header("Content-Type", "application/json")
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                content: bytes = answer.read(LARGEST + 1)
        except HTTPError as error:
            with error:
                message = error.read(2_000).decode("utf-8", "replace")
                if (told := error.headers.get("Healthnet-Time", "")).isdigit():
                    self.offset = int(told) - time.time()
            raise Rejected(error.code, message) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        if len(content) > LARGEST:
            raise Unreachable(f"the answer has more than {LARGEST} bytes")
        return content

    def signed(
        self, state: State, site: str, method: str, path: str, value: Any, timeout: float = 10.0, base: str = BASE
    ) -> Any:
        """Return the JSON that answers a signed request for `base + path`. Raises: Unreachable, Rejected.

        A refusal that tells another time is tried once more with that time.
        """
        body = b"" if value is None else canonical(value)
        for last_try in (False, True):
            before = self.offset
            clean, _, query = (base + path).partition("?")
            headers = sign_request(
                state.identity(), site, method, self._path + clean, query, body, int(self.now()), state.next_sequence()
            )
            try:
                content = self.send(method, base + path, body, headers, timeout)
                return json.loads(content) if content else None
            except Rejected as error:
                if last_try or error.status != 401 or abs(self.offset - before) < 30:
                    raise
            except ValueError as error:
                raise Unreachable("the answer is no JSON") from error
        raise AssertionError


def parse_token(token: str) -> tuple[str, str, bytes]:
    """Return the id, the site and the secret of a token of enrolment. Raises: ValueError."""
    parts = token.strip().split(".")
    try:
        version, token_id, site, secret = parts[0], parts[1], parts[2], urlsafe_b64decode(parts[3] + "=")
    except (IndexError, NoBase64) as error:
        raise ValueError("this is no token of enrolment: copy it whole") from error
    if version != "hn1" or len(secret) != 32 or len(parts) != 4:
        raise ValueError("this is no token of enrolment: copy it whole")
    return token_id, site, secret


def enrol(state: State, controller: str, ca_file: str, token: str) -> None:
    """Enrol this site: make its keys, prove the token, and keep what the controller answers.

    The secret of the token never travels: both sides prove that they have it.
    Raises: Unreachable, Rejected, ValueError.
    """
    token_id, site, secret = parse_token(token)
    client = Client(controller, ca_file)
    identity = state.identity()
    content = {
        "token": token_id,
        "site": site,
        "identity": identity.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex(),
        "tunnel": state.tunnel_public(1),
        "request": request_for(state, site),
    }
    proof = derive(secret, "request\n" + canonical(content).decode()).hex()
    raw = client.send("POST", f"{BASE}/enrolments", canonical({"content": content, "proof": proof}), {}, 20.0)
    try:
        answer = json.loads(raw)
        wanted = derive(secret, "answer\n" + proof + "\n" + canonical(answer["content"]).decode()).hex()
        if not hmac.compare_digest(wanted, answer["proof"]):
            raise ValueError("the answer does not prove that it comes from the controller that issued the token")
        trusted = answer["content"]["trusted"]
    except (KeyError, TypeError) as error:
        raise Unreachable("the answer to the enrolment is not complete") from error
    state.write("sealing.key", sealing_key_of(secret))
    if given := answer["content"].get("certificate"):  # without an authority the agent asks later
        keep(state, given)
    for name in ("good.json", "trial.json"):  # those of an enrolment before: sealed for it, perhaps of keys that ended
        state.remove(name)
    kept = {"site": site, "controller": controller, "ca_file": ca_file, "trusted": trusted}
    state.write_json("site.json", {**kept, "release_keys": answer["content"]["release_keys"]})
