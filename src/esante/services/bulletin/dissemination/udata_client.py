"""The push to the national open-data portal (udata's API 1): one dataset, a resource for each file of each version.

Nothing is remembered here: what is done is read from the portal itself, so the push may be broken off anywhere and
run again. A file is known there by its name, which is unique for each version, and by its SHA-1, which the portal
counts; the dataset by a mark in its `extras`. It stays private until the first push is through. What the portal does
not store (udata's own list has no Parquet) becomes a link to our copy.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from esante.services.bulletin.publication.dcat import DESCRIPTION, KEYWORDS, TITLE, Edition, last_day
from esante.services.bulletin.publication.formatting import words
from esante.services.bulletin.publication.model import File

if TYPE_CHECKING:
    import httpx

MARK = "esante_dataset"
FILE_MARK = "esante_file"
NAME = "cahier-esante"
PAUSE = 1.1
"""Seconds before a refused upload is tried once more: udata names stored files by the second."""
LANGUAGES = ("fr", "en")


class PortalError(Exception):
    """The portal did not do what was asked; nothing is lost, and the push can be run again."""


@dataclass(frozen=True, slots=True)
class Target:
    """The portal and who pushes: `key` is an API key of a member of `organization` (its id)."""

    url: str
    key: str
    organization: str
    zone: str = "country:lu"
    licence: str = "cc-by"


async def push(target: Target, editions: Sequence[Edition], base_url: str, client: "httpx.AsyncClient") -> list[str]:
    """Bring the portal up to `editions` (oldest first); returns what was done, nothing on a second run.

    `base_url` is our own public address. Raises PortalError when the portal is down or refuses.
    """
    portal = _Portal(target, client)
    dataset = await portal.find() or await portal.create(_about(target, editions, private=True))
    known = {_name(resource): resource for resource in dataset["resources"]}
    stored = set(await portal.ask("GET", "datasets/extensions/"))
    for edition in editions:
        for file in edition.files:
            resource = known.get(file.path.name)
            about = _resource(edition, file)
            if file.path.suffix[1:] in stored:
                resource = await portal.stored(dataset["id"], file, resource)
            elif resource is None:
                resource = await portal.linked(
                    dataset["id"], file, f"{base_url}/bulletin/files/{file.path.name}", about
                )
            await portal.described(dataset["id"], resource, about)
    wanted = _about(target, editions, private=False)
    if any(_plain(dataset.get(name)) != _plain(value) for name, value in wanted.items()):
        await portal.ask("PUT", f"datasets/{dataset['id']}/", json=wanted)
        portal.done.append("described the dataset")
    return portal.done


class _Portal:
    def __init__(self, target: Target, client: "httpx.AsyncClient") -> None:
        self._target, self._client = target, client
        self.done: list[str] = []

    async def ask(self, method: str, path: str, **more: Any) -> Any:
        """A call of the API; its answer. Raises PortalError."""
        import httpx

        url = f"{self._target.url.rstrip('/')}/api/1/{path}"
        try:
            answer = await self._client.request(method, url, headers={"X-API-KEY": self._target.key}, **more)
        except httpx.HTTPError as error:
            raise PortalError(f"the portal cannot be reached: {type(error).__name__}") from error
        if answer.is_error:
            raise PortalError(f"the portal answered {answer.status_code} to {method} {path}: {answer.text[:300]}")
        return answer.json()

    async def find(self) -> dict[str, Any] | None:
        """Our dataset among those of the organisation."""
        page: int | None = 1
        while page:
            found = await self.ask(
                "GET", f"organizations/{self._target.organization}/datasets/", params={"page": page, "page_size": 100}
            )
            for dataset in found["data"]:
                if (dataset.get("extras") or {}).get(MARK) == NAME and not dataset.get("deleted"):
                    return dict(await self.ask("GET", f"datasets/{dataset['id']}/"))
            page = page + 1 if found.get("next_page") else None
        return None

    async def create(self, about: Mapping[str, Any]) -> dict[str, Any]:
        """The dataset, made anew and not yet public."""
        self.done.append("created the dataset")
        return dict(await self.ask("POST", "datasets/", json=about))

    async def stored(self, dataset: str, file: File, resource: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """The resource that holds the bytes of a file: uploaded if it is not there, or not whole."""
        data = await asyncio.to_thread(file.path.read_bytes)
        if (
            resource
            and (resource.get("checksum") or {}).get("value") == hashlib.sha1(data, usedforsecurity=False).hexdigest()
        ):
            return resource
        place = f"resources/{resource['id']}/upload/" if resource else "upload/"
        self.done.append(f"uploaded {file.path.name}")
        upload = {"file": (file.path.name, data, file.media_type)}
        try:
            return dict(await self.ask("POST", f"datasets/{dataset}/{place}", files=upload))
        except PortalError:
            if not resource:
                raise
            await asyncio.sleep(PAUSE)
            return dict(await self.ask("POST", f"datasets/{dataset}/{place}", files=upload))

    async def linked(self, dataset: str, file: File, url: str, about: Mapping[str, Any]) -> Mapping[str, Any]:
        """A resource that leads to our own copy of a file."""
        self.done.append(f"linked {file.path.name}")
        kind = {"filetype": "remote", "url": url, "format": file.path.suffix[1:], "mime": file.media_type}
        return dict(await self.ask("POST", f"datasets/{dataset}/resources/", json={**kind, **about}))

    async def described(self, dataset: str, resource: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        """The metadata of a resource, written if they are not as wanted."""
        if any(_plain(resource.get(name)) != _plain(value) for name, value in wanted.items()):
            self.done.append(f"described {wanted['extras'][FILE_MARK]}")
            await self.ask("PUT", f"datasets/{dataset}/resources/{resource['id']}/", json={**resource, **wanted})


def _about(target: Target, editions: Sequence[Edition], *, private: bool) -> dict[str, Any]:
    periods = [edition.period for edition in editions]
    return {
        "title": TITLE,
        "description": "\n\n".join(words(language).text(DESCRIPTION) for language in LANGUAGES),
        "organization": target.organization,
        "license": target.licence,
        "frequency": "monthly",
        "temporal_coverage": {"start": f"{min(periods)}-01", "end": last_day(max(periods))},
        "spatial": {"zones": [target.zone], "granularity": "country"},
        "tags": sorted(KEYWORDS),
        "private": private,
        "extras": {MARK: NAME},
    }


def _resource(edition: Edition, file: File) -> dict[str, Any]:
    described = words(file.language or "fr")
    return {
        "title": f"{described.month(edition.period)}: {file.title} (v{edition.number})",
        "description": f"{TITLE} {edition.period}, v{edition.number}, {edition.status}. {edition.reason}".strip(),
        "type": "documentation" if "dictionary" in file.path.name else "main",
        "extras": {FILE_MARK: file.path.name},
    }


def _name(resource: Mapping[str, Any]) -> str:
    """The name of the file in a resource: by our mark, or as the upload has titled it."""
    return str((resource.get("extras") or {}).get(FILE_MARK) or resource.get("title"))


def _plain(value: Any) -> Any:
    """A value of the portal's answer as it is sent: references by their id, days without a time, no empty fields."""
    if isinstance(value, Mapping):
        if value.get("class") == "Organization" or {"id", "slug"} <= value.keys():
            return value["id"]
        return {key: _plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return sorted(_plain(one) for one in value)
    return value
