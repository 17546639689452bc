"""The feeds of indicators: which there are (a file of the operator), and how each is read."""

import asyncio
import tomllib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson

from esante.core.outbound import AddressPolicy, CheckedTransport
from esante.core.web import N_
from esante.services.soc.intelligence.misp import read_misp
from esante.services.soc.intelligence.model import SKIPPED_LOW, Indicator, NotRead, Reading, Tlp
from esante.services.soc.intelligence.stix import read_objects

CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 5.0, 30.0, 600.0
MAX_PAGE = 64 << 20
"""Bytes of one answer."""
MAX_PAGES = 400
"""Answers of one reading; the next reading goes on."""
PAGE_ENTRIES = 5_000
_TAXII = "application/taxii+json;version=2.1"
_KINDS = ("misp", "taxii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A source of indicators.

    `url`: of the MISP server, or of an API root of TAXII with its `collection`. `key_file`: the key of MISP's API, or
    `user:password` of TAXII. `tlp`: of entries without one; `confidence`: the lowest that is taken.
    """

    name: str
    kind: str
    url: str
    collection: str = ""
    key_file: str = ""
    tlp: Tlp = Tlp.AMBER
    confidence: int = 0
    every: timedelta = timedelta(hours=1)


def load_feeds(path: str) -> tuple[Feed, ...]:
    """Return the feeds of a TOML file; none for "".

    Raises: ValueError, with place and remedy, for a file that is wrong.
    """
    if not path:
        return ()
    try:
        rows = tomllib.loads(Path(path).read_text("utf-8")).get("feed", [])
        feeds = tuple(_feed(row) for row in rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: {error}; see operations.md, feeds of indicators") from error
    names = [feed.name for feed in feeds]
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: two feeds have one name; give each its own")
    return feeds


def _feed(row: dict[str, Any]) -> Feed:
    if row["kind"] not in _KINDS:
        raise ValueError(f"kind {row['kind']!r} is not known; write misp or taxii")
    if row["kind"] == "taxii" and not row.get("collection"):
        raise ValueError(f"the feed {row['name']} names no collection")
    return Feed(
        name=str(row["name"]),
        kind=row["kind"],
        url=str(row["url"]).rstrip("/"),
        collection=str(row.get("collection", "")),
        key_file=str(row.get("key_file", "")),
        tlp=Tlp(row.get("tlp", "amber")),
        confidence=int(row.get("confidence", 0)),
        every=timedelta(minutes=int(row.get("every_minutes", 60))),
    )


class FeedReader:
    """Reads feeds over HTTP; `policy` says which addresses may be called."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy

    async def read(self, feed: Feed, marker: str) -> Reading:
        """Return what is new in a feed since a marker ("" for all).

        Raises: `NotRead` when the server does not answer, refuses, or answers something else.
        """
        try:
            async with asyncio.timeout(TOTAL_SECONDS), self._client() as http:
                read = self._read_misp if feed.kind == "misp" else self._read_taxii
                found = await read(http, feed, marker)
        except (httpx.HTTPError, TimeoutError) as error:
            remedy = N_("Check its address; one of an own network has to be named in ESANTE_SOC_FEED_NETWORKS.")
            raise NotRead(N_("The server does not answer."), remedy, type(error).__name__) from error
        except (OSError, UnicodeError) as error:
            raise NotRead(N_("The key file cannot be read."), detail=type(error).__name__) from error
        kept = [one for one in found.indicators if one.confidence >= feed.confidence]
        low = len(found.indicators) - len(kept)
        skipped = Counter(found.skipped) + Counter({SKIPPED_LOW: low} if low else {})
        return Reading(kept, dict(skipped), found.marker)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        async with httpx.AsyncClient(
            transport=CheckedTransport(self._policy), timeout=timeout, trust_env=False
        ) as http:
            yield http

    async def _read_misp(self, http: httpx.AsyncClient, feed: Feed, marker: str) -> Reading:
        """Read attributes by `attributes/restSearch` of MISP's API, page by page."""
        headers = {"Accept": "application/json", "Authorization": await _key(feed)}
        parts = _Parts(marker)
        for page in range(1, MAX_PAGES + 1):
            body = {
                "returnFormat": "json",
                "to_ids": 1,
                "deleted": [0, 1],
                "includeEventTags": 1,
                "limit": PAGE_ENTRIES,
                "page": page,
            }
            if marker:
                body["timestamp"] = marker
            request = http.build_request("POST", f"{feed.url}/attributes/restSearch", json=body, headers=headers)
            content, _ = await _answer(http, request)
            reading = await asyncio.to_thread(read_misp, content, feed.tlp)
            parts.add(reading)
            if len(reading.indicators) + sum(reading.skipped.values()) < PAGE_ENTRIES:
                break
        return parts.reading()

    async def _read_taxii(self, http: httpx.AsyncClient, feed: Feed, marker: str) -> Reading:
        """Read objects of a collection (TAXII 2.1, section 5.4), page by page."""
        headers = {"Accept": _TAXII}
        key = await _key(feed)
        auth = httpx.BasicAuth(*key.split(":", 1)) if ":" in key else None
        parts, next_page = _Parts(marker), ""
        for _ in range(MAX_PAGES):
            given = {"added_after": marker, "next": next_page, "limit": "1000", "match[type]": "indicator"}
            query = {name: value for name, value in given.items() if value}
            address = f"{feed.url}/collections/{feed.collection}/objects/"
            request = http.build_request("GET", address, params=query, headers=headers)
            if auth is not None:
                request = next(auth.auth_flow(request))
            content, answered = await _answer(http, request)
            envelope = _envelope(content)
            reading = await asyncio.to_thread(read_objects, envelope.get("objects", []), feed.tlp)
            parts.add(reading, answered.get("X-TAXII-Date-Added-Last", ""))
            next_page = str(envelope.get("next") or "")
            if not envelope.get("more") or not next_page:
                break
        return parts.reading()


class _Parts:
    """What was read page by page; the marker is the greatest one."""

    def __init__(self, marker: str) -> None:
        self._marker = marker
        self._indicators: list[Indicator] = []
        self._skipped: Counter[str] = Counter()

    def add(self, reading: Reading, marker: str = "") -> None:
        self._indicators += reading.indicators
        self._skipped.update(reading.skipped)
        self._marker = max(self._marker, marker or reading.marker, key=_marker_order)

    def reading(self) -> Reading:
        return Reading(self._indicators, dict(self._skipped), self._marker)


def _marker_order(marker: str) -> tuple[int, str]:
    return (int(marker), "") if marker.isascii() and marker.isdigit() else (0, marker)


async def _key(feed: Feed) -> str:
    """Return what the key file holds; it is read each time, so a new key needs no restart."""
    return (await asyncio.to_thread(Path(feed.key_file).read_text, "ascii")).strip() if feed.key_file else ""


async def _answer(http: httpx.AsyncClient, request: httpx.Request) -> tuple[bytes, httpx.Headers]:
    response = await http.send(request, stream=True)
    try:
        if response.status_code in (401, 403):
            raise NotRead(N_("The server refuses the key."), N_("Put the key into the key file."))
        if response.status_code != 200:
            raise NotRead(N_("The server does not answer as it should."), detail=f"HTTP {response.status_code}")
        pieces, size = [], 0
        async for piece in response.aiter_bytes():
            size += len(piece)
            if size > MAX_PAGE:
                raise NotRead(N_("An answer of the server is too large."), detail="> 64 MiB")
            pieces.append(piece)
        return b"".join(pieces), response.headers
    finally:
        await response.aclose()


def _envelope(content: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise NotRead(N_("The server does not answer as it should."), detail="no JSON") from error
    if not isinstance(value, dict) or not isinstance(value.get("objects", []), list):
        raise NotRead(N_("The server does not answer as it should."), detail="no envelope of TAXII 2.1")
    return value
