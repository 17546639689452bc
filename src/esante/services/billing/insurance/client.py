"""The client to the health insurance (CNS): covers of a person, and the national messages.

It never waits longer than its time-out, and asks nothing for a while after several failures in a row (circuit
breaker), so that a silent insurance does not slow the platform down.
"""

import ssl
from collections import OrderedDict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import aiohttp
import orjson

from esante.core import clock
from esante.services.billing.adjudication.model import Approval, Cover

FAILURES = 5
"""Failures in a row after which nothing is asked for a while."""
PAUSE_SECONDS = 10.0
MAX_COVERS = 50_000
"""Persons whose covers are remembered, for the day on which they were asked for."""
MAX_ANSWER = 1024 * 1024
"""Bytes of an answer."""
_NO_ANSWER = (408, 429)
"""Refusals that are for now: the same message is taken later."""


class Silent(Exception):
    """The insurance gave no answer that can be used: it may or may not have got the message."""


class Refused(Exception):
    """The insurance refused a message for good; `code` is its cause, the text says it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class _Answer(NamedTuple):
    """Status and body of an answer."""

    status: int
    content: bytes


class Insurance:
    """The health insurance at an address ("": none, so it is always silent). `timeout`: seconds for an answer.

    TLS certificates and host names are verified, against `ca_file` where it is given; proxies that the environment
    names are not used. Each simulation waits for an answer, so its client is aiohttp, which takes a fifth of the
    processor time of httpx (docs/performance).
    """

    def __init__(self, url: str, timeout: float = 5.0, ca_file: str = "") -> None:
        self._url, self._timeout = url.rstrip("/"), aiohttp.ClientTimeout(total=timeout)
        self._context = ssl.create_default_context(cafile=ca_file or None)
        self._open_session: aiohttp.ClientSession | None = None
        self._failures, self._silent_until = 0, 0.0
        self._covers: OrderedDict[tuple[str, date], tuple[date, list[Cover]]] = OrderedDict()

    @property
    def is_resting(self) -> bool:
        """Whether it is asked nothing at the moment: it has no address, or failed several times in a row."""
        return not self._url or clock.now().timestamp() < self._silent_until

    async def close(self) -> None:
        """Close the connections."""
        if self._open_session is not None:
            await self._open_session.close()

    async def cover(self, matricule: str, on: date) -> list[Cover]:
        """Return how a person is insured around a day, [] when they are not insured.

        Covers are remembered until the end of the day on which they came. Raises: `Silent`.
        """
        today, key = clock.now().date(), (matricule, on)
        known = self._covers.get(key)
        if known is not None and known[0] == today:
            return known[1]
        response = await self._ask("GET", f"/insured/{matricule}", params={"on": on.isoformat()})
        covers = [] if response.status == 404 else [_cover(one) for one in _list(response, "covers")]
        if not covers:  # whoever is entered later on the day is insured from then on
            return []
        self._covers[key] = today, covers
        self._covers.move_to_end(key)
        while len(self._covers) > MAX_COVERS:
            self._covers.popitem(last=False)
        return covers

    async def approvals(self, matricule: str) -> list[Approval]:
        """Return the prior approvals of a person by the medical control (CMSS), [] for none. Raises: `Silent`."""
        response = await self._ask("GET", f"/insured/{matricule}/approvals")
        return [] if response.status == 404 else [_approval(one) for one in _list(response, "approvals")]

    async def income(self, matricule: str, year: int) -> Decimal | None:
        """Return the contributory income of a person in a year, None where there is none. Raises: `Silent`."""
        response = await self._ask("GET", f"/insured/{matricule}/income", params={"year": str(year)})
        if response.status == 404:
            return None
        try:
            found = Decimal(str(_object(response)["income"]))
        except (KeyError, InvalidOperation) as error:
            raise Silent("the answer of the health insurance has no income") from error
        return found if found.is_finite() and found >= 0 else None

    async def send(self, model: str, message: bytes) -> bytes:
        """Send a national message of a model (modelUID), and return the answer.

        Raises: `Silent`, `Refused`.
        """
        response = await self._ask(
            "POST", f"/messages/{model}", data=message, headers={"Content-Type": "application/xml"}
        )
        if response.status >= 400:
            raise Refused(*_cause(response))
        return response.content

    async def settlement(self, secu_id: str) -> Mapping[str, Any]:
        """Return how far the reimbursement of a note is: `state`, and `amount` and `on` once it was paid.

        Raises: `Silent`, `Refused` for a note that the insurance does not know.
        """
        response = await self._ask("GET", f"/notes/{secu_id}")
        if response.status >= 400:
            raise Refused(*_cause(response))
        return _object(response)

    async def _ask(self, method: str, path: str, **request: Any) -> _Answer:
        """Return an answer, or a refusal for good. Raises: `Silent`."""
        now = clock.now().timestamp()
        if self.is_resting:
            raise Silent("the health insurance is not asked at the moment")
        try:
            async with self._session().request(method, self._url + path, allow_redirects=False, **request) as response:
                if response.status // 100 not in (2, 4) or response.status in _NO_ANSWER:
                    raise Silent(f"the health insurance answered {response.status}")
                content = b""
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > MAX_ANSWER:
                        raise Silent("the answer of the health insurance is too large")
        except (aiohttp.ClientError, TimeoutError, Silent) as error:
            self._failures += 1
            if self._failures >= FAILURES:
                self._silent_until = now + PAUSE_SECONDS
            raise Silent(str(error) or type(error).__name__) from error
        self._failures, self._silent_until = 0, 0.0
        return _Answer(response.status, content)

    def _session(self) -> aiohttp.ClientSession:
        """Return the session, made at the first question since it belongs to the event loop."""
        if self._open_session is None:
            self._open_session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._context),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
            )
        return self._open_session


def _object(response: _Answer) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(response.content)
    except ValueError as error:
        raise Silent("the answer of the health insurance is no JSON") from error
    if not isinstance(answer, dict):
        raise Silent("the answer of the health insurance is no object")
    return answer


def _list(response: _Answer, name: str) -> list[Mapping[str, Any]]:
    if response.status >= 400:
        raise Silent(f"the health insurance answered {response.status}")
    found = _object(response).get(name)
    if not isinstance(found, list):
        raise Silent(f"the answer of the health insurance has no {name}")
    return found


def _cover(found: Mapping[str, Any]) -> Cover:
    try:
        return Cover(
            fund=str(found["fund"]),
            since=date.fromisoformat(found["since"]),
            until=date.fromisoformat(found["until"]) if found.get("until") else None,
            third_party_payer=found.get("third_party_payer") is True,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Silent("the answer of the health insurance is not of the agreed form") from error


def _approval(found: Mapping[str, Any]) -> Approval:
    try:
        since, until = (date.fromisoformat(found[name]) for name in ("since", "until"))
        return Approval(code=str(found["code"]), since=since, until=until, quantity=int(found.get("quantity", 1)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Silent("the answer of the health insurance is not of the agreed form") from error


def _cause(response: _Answer) -> tuple[str, str]:
    """Return code and text of a refusal."""
    try:
        found = orjson.loads(response.content)
    except ValueError:
        found = {}
    if not isinstance(found, dict):
        found = {}
    return str(found.get("code", response.status))[:40], str(found.get("text", ""))[:300]
