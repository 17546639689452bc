"""Requests of WADO-RS to the archives of hospitals, within limits of time and size.

After a failure an archive is left alone for some seconds: requests for its images fail at once then, and nobody waits.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx

from esante.core.outbound import AddressPolicy, CheckedTransport
from esante.core.web import Problem
from esante.services.imaging.dicomweb.media_types import DICOM, DICOM_JSON, RELATED, parse_media_type
from esante.services.imaging.dicomweb.multipart import RelatedReader
from esante.services.imaging.federation.model import Location, NotRetrieved
from esante.services.imaging.ingest.packs import Part

CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 3.0, 10.0, 120.0
"""Seconds until an archive takes a connection, between two pieces of an answer, and for a whole answer."""
PAUSE_SECONDS = 15.0
"""Seconds in which an archive that failed is not asked again."""
MAX_METADATA = 64 * 1024 * 1024
"""Bytes of the headers of a series."""
_ACCEPT = f'{RELATED}; type="{DICOM}"; transfer-syntax=*, {DICOM}; transfer-syntax=*; q=0.5'


class HospitalClient:
    """Asks archives; `policy` says which addresses may be called."""

    def __init__(self, policy: AddressPolicy, *, read_seconds: float = READ_SECONDS) -> None:
        timeout = httpx.Timeout(read_seconds, connect=CONNECT_SECONDS)
        self._http = httpx.AsyncClient(transport=CheckedTransport(policy), timeout=timeout, trust_env=False)
        self._paused: dict[str, float] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def fetch_instance(self, location: Location, path: str, part: Part) -> None:
        """Write the one instance at a path to a part. Raises: `NotRetrieved`, `Unavailable`."""
        with self._guarded(location):
            async with asyncio.timeout(TOTAL_SECONDS), self._answer(location, path, _ACCEPT) as answer:
                name, parameters = parse_media_type(answer.headers.get("content-type", ""))
                if name == DICOM:
                    async for chunk in answer.aiter_bytes():
                        part.write(chunk)
                elif name == RELATED and 1 <= len(parameters.get("boundary", "")) <= 70:
                    await _read_related(location, answer, parameters["boundary"], part)
                else:
                    raise NotRetrieved(location.name, f"answered with {name[:64]}")

    async def fetch_metadata(self, location: Location, path: str) -> bytes:
        """Return the DICOM JSON at a path. Raises: `NotRetrieved`."""
        with self._guarded(location):
            async with asyncio.timeout(TOTAL_SECONDS), self._answer(location, path, DICOM_JSON) as answer:
                pieces, size = [], 0
                async for chunk in answer.aiter_bytes():
                    size += len(chunk)
                    if size > MAX_METADATA:
                        raise NotRetrieved(location.name, "headers are too large")
                    pieces.append(chunk)
                return b"".join(pieces)

    @asynccontextmanager
    async def _answer(self, location: Location, path: str, accept: str) -> AsyncIterator[httpx.Response]:
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        if location.token_file:
            token = await asyncio.to_thread(Path(location.token_file).read_text, "ascii")
            headers["Authorization"] = f"Bearer {token.strip()}"
        async with self._http.stream("GET", f"{location.url}/{path}", headers=headers) as answer:
            if answer.status_code not in (200, 206):
                raise NotRetrieved(location.name, f"answered {answer.status_code}")
            yield answer

    @contextmanager
    def _guarded(self, location: Location) -> Iterator[None]:
        """Translate what goes wrong, and pause an archive that does not answer."""
        if self._paused.get(location.location_uid, 0.0) > time.monotonic():
            raise NotRetrieved(location.name, "did not answer a moment ago")
        try:
            yield
        except (httpx.HTTPError, TimeoutError) as error:
            self._paused[location.location_uid] = time.monotonic() + PAUSE_SECONDS
            raise NotRetrieved(location.name, type(error).__name__) from error
        except (OSError, UnicodeError) as error:
            raise NotRetrieved(location.name, f"the token cannot be read: {type(error).__name__}") from error


async def _read_related(location: Location, answer: httpx.Response, boundary: str, part: Part) -> None:
    """Write the only part of a multipart answer."""
    reader, parts = RelatedReader(boundary), 0
    try:
        async for chunk in answer.aiter_bytes():
            for kind, data in reader.feed(chunk):
                parts += kind == "begin"
                if kind == "data":
                    part.write(data)
                if parts > 1:
                    raise NotRetrieved(location.name, "answered with more than one instance")
    except Problem as problem:
        raise NotRetrieved(location.name, "answered with no multipart message") from problem
    if not reader.is_complete:
        raise NotRetrieved(location.name, "ended its answer too early")
