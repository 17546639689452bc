"""The resources of the card as the record takes them: created in one transaction, read, given a next version."""

from collections.abc import Sequence
from urllib.parse import urlencode
from uuid import UUID

import msgspec
import orjson

from esante.core.fhir.rest import BundleEntry
from esante.core.types import Json
from esante.identity.access import Requester
from esante.services.record import Record
from esante.services.vaccination.card.immunization import CORRECTION_EXTENSION, WRITTEN


class CardResources:
    """Resources of all persons; `base_url` is the address of /fhir. The record decides on each act and journals it."""

    def __init__(self, record: Record, base_url: str) -> None:
        self._clinical, self._writer = record.clinical, record.clinical_writer(base_url)
        self._transactions = record.transactions(base_url)

    async def create(self, requester: Requester, made: Sequence[Json], *, conditional: bool = True) -> list[UUID]:
        """Create resources in one transaction, each once by its identifier; return their keys."""
        entries = [_bundle_entry(index, resource, conditional=conditional) for index, resource in enumerate(made)]
        answers = await self._transactions.process(requester, entries, with_resources=False)
        return [_key_in(answer) for answer in answers]

    async def replace(
        self, requester: Requester, person_id: UUID, dose_id: UUID, version: str, changed: Json, why: str
    ) -> None:
        """Give a dose its next version: what the card writes is replaced, what others added stays."""
        key = person_id, dose_id
        before = await self.read(requester, "Immunization", key)
        is_whole = "vaccineCode" in changed
        kept = {name: value for name, value in before.items() if not is_whole or name not in WRITTEN}
        extensions = [*changed.pop("extension", before.get("extension", []) if not is_whole else [])]
        extensions = [one for one in extensions if one["url"] != CORRECTION_EXTENSION]
        extensions.append({"url": CORRECTION_EXTENSION, "valueString": why})
        resource = kept | changed | {"extension": extensions, "id": before["id"]}
        resource["identifier"] = before.get("identifier") or changed.get("identifier") or []
        if not resource["identifier"]:
            del resource["identifier"]
        await self.update(requester, "Immunization", key, resource, version)

    async def read(self, requester: Requester, type_: str, key: tuple[UUID, UUID]) -> Json:
        """Return a resource by its person and id. Raises: `Problem` 404."""
        found: Json = orjson.loads((await self._clinical.read(requester, type_, key)).body)
        return found

    async def update(
        self, requester: Requester, type_: str, key: tuple[UUID, UUID], resource: Json, version: str
    ) -> None:
        """Give a resource the version after the one named. Raises: `Problem` 403, 404, 412."""
        await self._writer.update(requester, type_, key, orjson.dumps(resource), f'W/"{version}"')


def _bundle_entry(index: int, resource: Json, *, conditional: bool) -> BundleEntry:
    """Return the entry of a transaction that creates a resource unless its identifier is known."""
    type_, identifier = resource["resourceType"], resource["identifier"]
    identifier = identifier[0] if isinstance(identifier, list) else identifier
    criteria = urlencode({"identifier": f"{identifier['system']}|{identifier['value']}"})
    return BundleEntry(
        index=index,
        full_url="",
        method="POST",
        path=type_,
        query="",
        type=type_,
        id="",
        criteria=criteria if conditional else None,
        conditions=(),
        body=msgspec.Raw(orjson.dumps(resource)),
    )


def _key_in(answer: Json) -> UUID:
    """Return the own key of the resource of a response entry."""
    logical_id = str(answer["response"]["location"]).split("/")[1]
    return UUID(hex=logical_id[32:])
