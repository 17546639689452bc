"""Declaration of the attestation of software."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import DemoCountry, DemoStep, NavigationItem, Platform, Service
from esante.core.storage import uuid7
from esante.core.types import Progress
from esante.core.web import N_
from esante.identity.access import Access, Requester
from esante.services.conformance.model import Kind, Statement
from esante.services.conformance.pages import routes
from esante.services.conformance.service import Conformance


def _build(platform: Platform) -> Iterable[object]:
    yield Conformance(platform.db, platform.journal, platform[Access])


def _routes(platform: Platform) -> list[BaseRoute]:
    return [*routes(platform[Conformance], platform[Access])]


_DEMO = (
    ("Dossier Exemple", "Exempla Software", "4.2", ("mhd", "pdqm", "ips"), 2),
    ("KrankenhausMuster", "Muster Systeme", "2026.1", ("mhd", "pdqm", "smart-backend", "eu-hdr"), 2),
    ("LabBeispill", "Beispill IT", "11", ("mhd", "eu-lab"), 1),
)
"""Invented products: name, vendor, version, profiles, how many phases are passed."""


async def _load_demo(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    conformance, operator = platform[Conformance], Requester(kind="operator", id=uuid7(), name="Olivia Opérateur")
    day = country.now.date() - timedelta(days=90)
    for place, (name, vendor, number, profiles, phases) in enumerate(_DEMO, 1):
        if (await conformance.search(operator, name)).items:
            continue
        product = await conformance.register_product(operator, name, vendor, "contact@example.lu")
        version = await conformance.register_version(operator, product.product_id, number, profiles)
        for kind, body in ((Kind.CONFORMITY, "Institut de test fictif"), (Kind.CONNECTION, "esante"))[:phases]:
            evidence = Statement(kind=kind, body=body, reference=f"{kind.value}-{place}", passed_on=day)
            await conformance.state(operator, version.version_id, evidence)
        progress(place, len(_DEMO), "products")


SERVICE = Service(
    package="esante.services.conformance",
    build=_build,
    routes=_routes,
    navigation=[
        NavigationItem(
            role="operator", url="/operator/software", label=N_("Attested software"), icon="check", order=50
        ),
        NavigationItem(role="everyone", url="/software", label=N_("Attested software"), order=25),
    ],
    demo=[DemoStep(name="attested software", load=_load_demo)],
)
