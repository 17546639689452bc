"""The pages of software, vendors, tests and labels."""

from starlette.routing import BaseRoute

from esante.identity.access import Access
from esante.services.conformance.kits.run_links import RunLinks
from esante.services.conformance.kits.runs import Runs
from esante.services.conformance.labels.service import Labels
from esante.services.conformance.pages import (
    attestation_pages,
    label_pages,
    report_pages,
    run_pages,
    software_pages,
    vendor_pages,
)
from esante.services.conformance.service import Conformance
from esante.services.conformance.vendors.service import Vendors

__all__ = ["routes"]


def routes(
    access: Access, conformance: Conformance, vendors: Vendors, runs: Runs, links: RunLinks, labels: Labels, base: str
) -> list[BaseRoute]:
    """Return the routes of all pages; `base`: the address of the platform, for links to reports."""
    return [
        *attestation_pages.routes(conformance, access),
        *label_pages.routes(labels, access),
        *report_pages.routes(links, runs),
        *vendor_pages.routes(vendors, access),
        *software_pages.routes(conformance, vendors, labels, access),
        *run_pages.routes(runs, links, access, base),
    ]
