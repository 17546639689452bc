"""Instances of other archives: retrieved when they are opened, checked like a deposit, and held within a bound.

What is held lies in files that have no name, and is gone when it was not used for long or the process ends.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

import orjson

from esante.core.storage import Database, Objects
from esante.core.types import Json
from esante.core.web import N_, Problem
from esante.identity.directory import Directory
from esante.services.imaging.archive.remote import Held
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.federation.hospital_client import PAUSE_SECONDS, HospitalClient
from esante.services.imaging.federation.location_store import fetch_series_locations
from esante.services.imaging.federation.locations import Locations
from esante.services.imaging.federation.model import Location, NotRetrieved
from esante.services.imaging.ingest.header import Header
from esante.services.imaging.ingest.identity import demographics
from esante.services.imaging.ingest.limits import MAX_DEPTH, Rejected
from esante.services.imaging.ingest.packs import Pack, Part
from esante.services.imaging.model import Instance
from esante.services.record import compare_document

log = logging.getLogger(__name__)
FETCHES = 4
"""Instances that a process retrieves at a time."""
_PIXEL_DATA = ("7FE00008", "7FE00009", "7FE00010")
_Key = tuple[UUID, str]


class Holdings:
    """Retrieves and holds instances; `limit`: bytes on disk, of those held and those being retrieved together."""

    def __init__(
        self,
        db: Database,
        objects: Objects,
        locations: Locations,
        directory: Directory,
        client: HospitalClient,
        limit: int,
    ) -> None:
        self._db, self._objects, self._locations = db, objects, locations
        self._directory, self._client = directory, client
        self._held: OrderedDict[_Key, Held] = OrderedDict()
        self._flights: dict[_Key, asyncio.Task[Held]] = {}
        self._turns = asyncio.Semaphore(FETCHES)
        self._most_held, self._most_each = limit // 2, limit // 2 // FETCHES

    async def close(self) -> None:
        """Forget what is held, and close the connections."""
        self._held.clear()
        await self._client.close()

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return sum(held.instance.size for held in self._held.values())

    async def hold(self, instance: Instance) -> Held:
        """Return an instance with its bytes; several requests wait for one retrieval. Raises: Problem 503."""
        key = instance.person_id, instance.instance_uid
        if (held := self._held.get(key)) is not None:
            self._held.move_to_end(key)
            return held
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._retrieve(instance))
            flight.add_done_callback(lambda done: self._landed(key, done))
        try:
            return await asyncio.shield(flight)
        except (NotRetrieved, Rejected) as error:
            raise _unavailable() from error

    async def metadata(self, study: VisibleStudy, series_uids: Collection[str]) -> dict[str, dict[str, bytes]]:
        """Return the headers of those of some series that are elsewhere (see `RemoteInstances`)."""
        locations = await fetch_series_locations(self._db, study.person_id, study.study_uid)
        return {
            series_uid: await self._series_metadata(study, series_uid, location_uid)
            for series_uid, location_uid in locations.items()
            if series_uid in series_uids
        }

    async def _series_metadata(self, study: VisibleStudy, series_uid: str, location_uid: str) -> dict[str, bytes]:
        try:
            location = await self._location(location_uid)
            path = f"studies/{study.study_uid}/series/{series_uid}/metadata"
            found = await self._client.fetch_metadata(location, path)
            headers = await asyncio.to_thread(_read_metadata, location, found)
            for header in [*headers.values()][:1]:
                await self._check_patient(location, study.person_id, _header(header))
            return {uid: orjson.dumps(header) for uid, header in headers.items()}
        except NotRetrieved as error:
            log.warning("headers of a series are not retrieved: %s", error)
            raise _unavailable() from error

    async def _retrieve(self, instance: Instance) -> Held:
        locations = await fetch_series_locations(self._db, instance.person_id, instance.study_uid)
        location = await self._location(locations.get(instance.series_uid, ""))
        async with self._turns:
            pack = Pack(self._objects, is_scratch=True)
            try:
                return await self._fetch(location, instance, Part(pack, self._most_each))
            except BaseException:
                pack.close()
                raise

    async def _fetch(self, location: Location, instance: Instance, part: Part) -> Held:
        path = f"studies/{instance.study_uid}/series/{instance.series_uid}/instances/{instance.instance_uid}"
        await self._client.fetch_instance(location, path, part)
        header, frames = await asyncio.to_thread(part.read)
        await self._check(location, instance, header, part.sha256)
        syntax, size = header.transfer_syntax_uid, part.size
        resolved = replace(instance, transfer_syntax_uid=syntax, size=size, sha256=part.sha256)
        return Held(resolved, frames, header.json, part.pack.file)

    async def _location(self, location_uid: str) -> Location:
        location = await self._locations.find(location_uid)
        if location is None:
            raise NotRetrieved(location_uid, "is not in the directory of archives")
        return location

    async def _check(self, location: Location, instance: Instance, header: Header, sha256: bytes) -> None:
        """Raise `NotRetrieved` for other bytes than the manifest has, another instance, or one of another patient."""
        found = header.text("0020000D"), header.text("0020000E"), header.sop_instance_uid
        if found != (instance.study_uid, instance.series_uid, instance.instance_uid):
            raise NotRetrieved(location.name, "answered with another instance")
        if instance.sha256 and instance.sha256 != sha256:
            raise NotRetrieved(location.name, "answered with other bytes than its manifest has")
        await self._check_patient(location, instance.person_id, header)

    async def _check_patient(self, location: Location, person_id: UUID, header: Header) -> None:
        person = await self._directory.person(person_id)
        if person is None or compare_document(person, demographics(header), "").differences:
            raise NotRetrieved(location.name, "answered with an instance that may be about another patient")

    def _landed(self, key: _Key, done: asyncio.Task[Held]) -> None:
        self._flights.pop(key, None)
        if done.cancelled():
            return
        if (error := done.exception()) is not None:
            log.warning("an instance is not retrieved: %s", error)
            return
        self._held[key] = done.result()
        size = self.size
        while size > self._most_held and self._held:
            _, evicted = self._held.popitem(last=False)
            size -= evicted.instance.size


def _read_metadata(location: Location, data: bytes) -> dict[str, Json]:
    """Return headers by SOP Instance UID, without addresses of the other archive."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise NotRetrieved(location.name, "answered with no JSON") from error
    headers: dict[str, Json] = {}
    for header in found if isinstance(found, list) else ():
        values = header.get("00080018", {}).get("Value", ()) if isinstance(header, dict) else ()
        if values:
            headers[values[0]] = _without_addresses(header, 0)
    return headers


def _without_addresses(data: Json, depth: int) -> Json:
    """Return a data set whose pixel data are referred to as ours are, and other bulk data not at all."""
    kept: Json = {}
    for tag, element in data.items():
        if not isinstance(element, dict) or depth > MAX_DEPTH:
            continue
        values = element.get("Value")
        if element.get("vr") == "SQ" and isinstance(values, list):
            items = [_without_addresses(item, depth + 1) for item in values if isinstance(item, dict)]
            kept[tag] = element | {"Value": items}
        elif tag in _PIXEL_DATA and depth == 0:
            kept[tag] = {"vr": element.get("vr", "OW"), "BulkDataURI": tag}
        else:
            kept[tag] = {name: value for name, value in element.items() if name != "BulkDataURI"}
    return kept


def _header(json: Json) -> Header:
    """Return a header of which only the data set is known."""
    return Header(json=json, sop_class_uid="", sop_instance_uid="", transfer_syntax_uid="", pixel_data=None)


def _unavailable() -> Problem:
    return Problem(
        503,
        "transient",
        N_("The archive of the hospital does not answer now."),
        remedy=N_("Try again later. Everything else in the record can be used."),
        headers={"Retry-After": str(int(PAUSE_SECONDS))},
    )
