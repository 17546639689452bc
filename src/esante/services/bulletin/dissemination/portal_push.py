"""The push of released months to the national open data portal: one dataset, a resource for each file of each version.

The dataset stays private until the first push is complete. File types that the portal does not store (udata's list has
no Parquet) become links to our copy.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from esante.core.open_data import FILE_MARK, PortalDataset, PortalTarget, file_name
from esante.core.types import Json
from esante.core.web import current_agency
from esante.services.bulletin.publication.dcat import DESCRIPTION, KEYWORDS, Edition, last_day
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.publication.model import PublishedFile

if TYPE_CHECKING:
    import httpx

DATASET_NAME = "cahier-esante"
LANGUAGES = ("fr", "en")


async def push_editions(
    target: PortalTarget, editions: Sequence[Edition], base_url: str, client: "httpx.AsyncClient"
) -> list[str]:
    """Push what is missing of `editions` (oldest first); return the steps made, none on a second run.

    `base_url` is our own public address. Raises: PortalError when the portal is down or refuses.
    """
    portal = PortalDataset(target, DATASET_NAME, client)
    dataset = await portal.find_dataset() or await portal.create_dataset(
        _dataset_metadata(target, portal, editions, private=True)
    )
    known = {file_name(resource): resource for resource in dataset["resources"]}
    stored = set(await portal.request("GET", "datasets/extensions/"))
    for edition in editions:
        for file in edition.files:
            resource = known.get(file.path.name)
            metadata = _resource_metadata(edition, file)
            if file.path.suffix[1:] in stored:
                resource = await portal.store_file(dataset["id"], file.path, file.media_type, resource)
            elif resource is None:
                url = f"{base_url}/bulletin/files/{file.path.name}"
                resource = await portal.link_file(dataset["id"], url, file.media_type, metadata)
            await portal.describe_resource(dataset["id"], resource, metadata)
    await portal.describe(dataset, _dataset_metadata(target, portal, editions, private=False))
    return portal.done


def _dataset_metadata(
    target: PortalTarget, portal: PortalDataset, editions: Sequence[Edition], *, private: bool
) -> Json:
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
        "extras": portal.extras(),
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
