"""The push of the catalogue to the national open data portal: one dataset, whose resources are the feeds.

The portal gets links: the feeds stay here, and say the figures of the day.
"""

from typing import TYPE_CHECKING

from esante.core.open_data import FILE_MARK, PortalDataset, PortalTarget, file_name
from esante.core.storage import Database
from esante.core.types import Json
from esante.services.research.catalogue.dcat import TITLES
from esante.services.research.catalogue.measurement_store import try_push_lock

if TYPE_CHECKING:
    import httpx

DATASET_NAME = "esante-health-datasets"
FEEDS = {"catalog.jsonld": "application/ld+json", "catalog.ttl": "text/turtle"}
"""The feeds by their names below the address of the catalogue, with their media types."""
_KEYWORDS = ("ehealth", "esante", "health-data", "healthdcat-ap", "secondary-use")


class CataloguePublisher:
    """Publishes the catalogue on one portal; it has no access to anything but the addresses of the feeds."""

    def __init__(self, db: Database, target: PortalTarget, base_url: str) -> None:
        self._db, self._target, self._base_url = db, target, base_url

    async def push(self) -> list[str]:
        """Push what is missing on the portal; return the steps that were made, none when another process pushes.

        Raises: PortalError when the portal is down or refuses; the next push continues.
        """
        import httpx

        async with self._db.transaction() as conn:
            if not await try_push_lock(conn):
                return []
            async with httpx.AsyncClient(timeout=60) as client:
                return await push_catalogue(self._target, self._base_url, client)


async def push_catalogue(target: PortalTarget, base_url: str, client: "httpx.AsyncClient") -> list[str]:
    """Push the dataset and the links to its feeds; return the steps made, none on a second run.

    `base_url` is our own public address. Raises: PortalError when the portal is down or refuses.
    """
    portal = PortalDataset(target, DATASET_NAME, client)
    dataset = await portal.find_dataset() or await portal.create_dataset(_metadata(target, portal, private=True))
    known = {file_name(resource): resource for resource in dataset["resources"]}
    for name, media_type in FEEDS.items():
        metadata: Json = {"title": f"HealthDCAT-AP ({name})", "type": "main", "extras": {FILE_MARK: name}}
        resource = known.get(name)
        if resource is None:
            resource = await portal.link_file(dataset["id"], f"{base_url}/research/{name}", media_type, metadata)
        await portal.describe_resource(dataset["id"], resource, metadata)
    await portal.describe(dataset, _metadata(target, portal, private=False))
    return portal.done


def _metadata(target: PortalTarget, portal: PortalDataset, *, private: bool) -> Json:
    return {
        "title": TITLES["fr"],
        "description": "\n\n".join((TITLES["fr"], TITLES["en"])),
        "organization": target.organization,
        "license": target.licence,
        "frequency": "daily",
        "spatial": {"zones": [target.zone], "granularity": "country"},
        "tags": sorted(_KEYWORDS),
        "private": private,
        "extras": portal.extras(),
    }
