"""A push to a national open data portal (API 1 of udata): one dataset with its resources.

A push has no state of its own: what is done is read from the portal, so it may be interrupted anywhere and repeated.
A dataset is identified there by a mark in its `extras`, a file by its name and by its SHA-1, which the portal
computes.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esante.core.types import Json
from esante.settings import Settings

if TYPE_CHECKING:
    import httpx

DATASET_MARK, FILE_MARK = "esante_dataset", "esante_file"
PAUSE = 1.1
"""Seconds before a refused upload is repeated once: udata names stored files by the second."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalSettings:
    """The national open data portal (udata) to which open data are published; `portal_url` empty: none.

    `portal_key` is the API key of a member of `portal_organization` (its id on the portal).
    """

    portal_url: str = ""
    portal_key: str = field(default="", repr=False)
    portal_organization: str = ""


def portal_target(settings: Settings) -> PortalTarget | None:
    """Return the portal of the settings; None without one, and in a demonstration."""
    portal = settings.of(PortalSettings)
    if settings.demo or not portal.portal_url:
        return None
    return PortalTarget(portal.portal_url, portal.portal_key, portal.portal_organization)


class PortalDataset:
    """The calls of one push of the dataset that has a name as its mark; `done` lists the steps made."""

    def __init__(self, target: PortalTarget, name: str, client: "httpx.AsyncClient") -> None:
        self._target, self._name, self._client = target, name, client
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
                if (dataset.get("extras") or {}).get(DATASET_MARK) == self._name and not dataset.get("deleted"):
                    return dict(await self.request("GET", f"datasets/{dataset['id']}/"))
            page = page + 1 if found.get("next_page") else None
        return None

    async def create_dataset(self, metadata: Mapping[str, Any]) -> Json:
        """Create the dataset and return it."""
        self.done.append("created the dataset")
        return dict(await self.request("POST", "datasets/", json=metadata))

    async def store_file(
        self, dataset: str, file: Path, media_type: str, resource: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        """Return the resource with the bytes of a file, which is uploaded when it is missing or incomplete."""
        data = await asyncio.to_thread(file.read_bytes)
        if (
            resource
            and (resource.get("checksum") or {}).get("value") == hashlib.sha1(data, usedforsecurity=False).hexdigest()
        ):
            return resource
        path = f"resources/{resource['id']}/upload/" if resource else "upload/"
        self.done.append(f"uploaded {file.name}")
        upload = {"file": (file.name, data, media_type)}
        try:
            return dict(await self.request("POST", f"datasets/{dataset}/{path}", files=upload))
        except PortalError:
            if not resource:
                raise
            await asyncio.sleep(PAUSE)
            return dict(await self.request("POST", f"datasets/{dataset}/{path}", files=upload))

    async def link_file(
        self, dataset: str, url: str, media_type: str, metadata: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Create and return a resource that links to our own copy of a file."""
        self.done.append(f"linked {metadata['extras'][FILE_MARK]}")
        kind = {"filetype": "remote", "url": url, "format": url.rpartition(".")[2], "mime": media_type}
        return dict(await self.request("POST", f"datasets/{dataset}/resources/", json={**kind, **metadata}))

    async def describe_resource(self, dataset: str, resource: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        """Update the metadata of a resource when they differ from `wanted`."""
        if any(normalized(resource.get(name)) != normalized(value) for name, value in wanted.items()):
            self.done.append(f"described {wanted['extras'][FILE_MARK]}")
            await self.request("PUT", f"datasets/{dataset}/resources/{resource['id']}/", json={**resource, **wanted})

    async def describe(self, dataset: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        """Update the metadata of the dataset when they differ from `wanted`."""
        if any(normalized(dataset.get(name)) != normalized(value) for name, value in wanted.items()):
            await self.request("PUT", f"datasets/{dataset['id']}/", json=wanted)
            self.done.append("described the dataset")

    def extras(self) -> dict[str, str]:
        """Return the mark of the dataset."""
        return {DATASET_MARK: self._name}


def file_name(resource: Mapping[str, Any]) -> str:
    """Return the name of the file in a resource: by our mark, or else its title, which an upload sets."""
    return str((resource.get("extras") or {}).get(FILE_MARK) or resource.get("title"))


def normalized(value: Any) -> Any:
    """Return a value of a response as it would be sent: references by id, no empty fields, sorted lists."""
    if isinstance(value, Mapping):
        if value.get("class") == "Organization" or {"id", "slug"} <= value.keys():
            return value["id"]
        return {key: normalized(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return sorted(normalized(one) for one in value)
    return value
