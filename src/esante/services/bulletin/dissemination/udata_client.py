"""The push to the national open data portal (API 1 of udata): one dataset, a resource for each file of each version.

The push has no state of its own: what is done is read from the portal, so it may be interrupted anywhere and repeated.
A file is identified there by its name, which is unique for each version, and by its SHA-1, which the portal computes;
the dataset by a mark in its `extras`. The dataset stays private until the first push is complete. File types that the
portal does not store (udata's list has no Parquet) become links to our copy.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from esante.core.types import Json
from esante.core.web import current_agency
from esante.services.bulletin.publication.dcat import DESCRIPTION, KEYWORDS, Edition, last_day
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.publication.model import PublishedFile

if TYPE_CHECKING:
    import httpx

DATASET_MARK = "esante_dataset"
FILE_MARK = "esante_file"
DATASET_NAME = "cahier-esante"
PAUSE = 1.1
"""Seconds before a refused upload is repeated once: udata names stored files by the second."""
LANGUAGES = ("fr", "en")


class PortalError(Exception):
    """The portal cannot be reached or refused a request; nothing is lost, and the push can be repeated."""


@dataclass(frozen=True, slots=True)
class PortalTarget:
    """The portal and the account: `key` is an API key of a member of `organization` (its id)."""

    url: str
    key: str
    organization: str
    zone: str = "country:lu"
    licence: str = "cc-by"


async def push_editions(
    target: PortalTarget, editions: Sequence[Edition], base_url: str, client: "httpx.AsyncClient"
) -> list[str]:
    """Push what is missing of `editions` (oldest first); return the steps made, none on a second run.

    `base_url` is our own public address. Raises: PortalError when the portal is down or refuses.
    """
    portal = _UdataClient(target, client)
    dataset = await portal.find_dataset() or await portal.create_dataset(
        _dataset_metadata(target, editions, private=True)
    )
    known = {_file_name(resource): resource for resource in dataset["resources"]}
    stored = set(await portal.request("GET", "datasets/extensions/"))
    for edition in editions:
        for file in edition.files:
            resource = known.get(file.path.name)
            metadata = _resource_metadata(edition, file)
            if file.path.suffix[1:] in stored:
                resource = await portal.store_file(dataset["id"], file, resource)
            elif resource is None:
                resource = await portal.link_file(
                    dataset["id"], file, f"{base_url}/bulletin/files/{file.path.name}", metadata
                )
            await portal.describe_resource(dataset["id"], resource, metadata)
    wanted = _dataset_metadata(target, editions, private=False)
    if any(_normalized(dataset.get(name)) != _normalized(value) for name, value in wanted.items()):
        await portal.request("PUT", f"datasets/{dataset['id']}/", json=wanted)
        portal.done.append("described the dataset")
    return portal.done


class _UdataClient:
    """The calls of one push; `done` lists the steps made."""

    def __init__(self, target: PortalTarget, client: "httpx.AsyncClient") -> None:
        self._target, self._client = target, client
        self.done: list[str] = []

    async def request(self, method: str, path: str, **options: Any) -> Any:
        """Return the JSON of a call of the API. Raises: PortalError when it fails."""
        import httpx

        url = f"{self._target.url.rstrip('/')}/api/1/{path}"
        try:
            response = await self._client.request(method, url, headers={"X-API-KEY": self._target.key}, **options)
        except httpx.HTTPError as error:
            raise PortalError(f"the portal {self._target.url} cannot be reached: {type(error).__name__}") from error
        if response.is_error:
            raise PortalError(f"the portal answered {response.status_code} to {method} {path}: {response.text[:300]}")
        return response.json()

    async def find_dataset(self) -> Json | None:
        """Return our dataset among those of the organisation, or None."""
        page: int | None = 1
        while page:
            found = await self.request(
                "GET", f"organizations/{self._target.organization}/datasets/", params={"page": page, "page_size": 100}
            )
            for dataset in found["data"]:
                if (dataset.get("extras") or {}).get(DATASET_MARK) == DATASET_NAME and not dataset.get("deleted"):
                    return dict(await self.request("GET", f"datasets/{dataset['id']}/"))
            page = page + 1 if found.get("next_page") else None
        return None

    async def create_dataset(self, metadata: Mapping[str, Any]) -> Json:
        """Create the dataset and return it."""
        self.done.append("created the dataset")
        return dict(await self.request("POST", "datasets/", json=metadata))

    async def store_file(
        self, dataset: str, file: PublishedFile, resource: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        """Return the resource with the bytes of a file, which is uploaded when it is missing or incomplete."""
        data = await asyncio.to_thread(file.path.read_bytes)
        if (
            resource
            and (resource.get("checksum") or {}).get("value") == hashlib.sha1(data, usedforsecurity=False).hexdigest()
        ):
            return resource
        path = f"resources/{resource['id']}/upload/" if resource else "upload/"
        self.done.append(f"uploaded {file.path.name}")
        upload = {"file": (file.path.name, data, file.media_type)}
        try:
            return dict(await self.request("POST", f"datasets/{dataset}/{path}", files=upload))
        except PortalError:
            if not resource:
                raise
            await asyncio.sleep(PAUSE)
            return dict(await self.request("POST", f"datasets/{dataset}/{path}", files=upload))

    async def link_file(
        self, dataset: str, file: PublishedFile, url: str, metadata: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Create and return a resource that links to our own copy of a file."""
        self.done.append(f"linked {file.path.name}")
        kind = {"filetype": "remote", "url": url, "format": file.path.suffix[1:], "mime": file.media_type}
        return dict(await self.request("POST", f"datasets/{dataset}/resources/", json={**kind, **metadata}))

    async def describe_resource(self, dataset: str, resource: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        """Update the metadata of a resource when they differ from `wanted`."""
        if any(_normalized(resource.get(name)) != _normalized(value) for name, value in wanted.items()):
            self.done.append(f"described {wanted['extras'][FILE_MARK]}")
            await self.request("PUT", f"datasets/{dataset}/resources/{resource['id']}/", json={**resource, **wanted})


def _dataset_metadata(target: PortalTarget, editions: Sequence[Edition], *, private: bool) -> Json:
    periods = [edition.period for edition in editions]
    return {
        "title": current_agency().bulletin_name.of("fr"),
        "description": "\n\n".join(formatter(language).text(DESCRIPTION) for language in LANGUAGES),
        "organization": target.organization,
        "license": target.licence,
        "frequency": "monthly",
        "temporal_coverage": {"start": f"{min(periods)}-01", "end": last_day(max(periods))},
        "spatial": {"zones": [target.zone], "granularity": "country"},
        "tags": sorted(KEYWORDS),
        "private": private,
        "extras": {DATASET_MARK: DATASET_NAME},
    }


def _resource_metadata(edition: Edition, file: PublishedFile) -> Json:
    language = file.language or "fr"
    fmt, name = formatter(language), current_agency().bulletin_name.of(language)
    return {
        "title": f"{fmt.month(edition.period)}: {file.title} (v{edition.number})",
        "description": f"{name} {edition.period}, v{edition.number}, {edition.status}. {edition.reason}".strip(),
        "type": "documentation" if "dictionary" in file.path.name else "main",
        "extras": {FILE_MARK: file.path.name},
    }


def _file_name(resource: Mapping[str, Any]) -> str:
    """Return the name of the file in a resource: by our mark, or else its title, which an upload sets."""
    return str((resource.get("extras") or {}).get(FILE_MARK) or resource.get("title"))


def _normalized(value: Any) -> Any:
    """Return a value of a response as it would be sent: references by id, no empty fields, sorted lists."""
    if isinstance(value, Mapping):
        if value.get("class") == "Organization" or {"id", "slug"} <= value.keys():
            return value["id"]
        return {key: _normalized(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return sorted(_normalized(one) for one in value)
    return value
