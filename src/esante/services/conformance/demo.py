"""Demonstration data: invented products, vendors with accounts, one of them with a key, and versions with a label."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from uuid import UUID

from esante.contract import DemoCountry, Platform
from esante.core import clock
from esante.core.clock import use_clock
from esante.core.storage import read_or_create_key, uuid7
from esante.core.types import Progress
from esante.identity.access import Requester
from esante.services.conformance.kits import run_store
from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.model import Kit, Outcome, Run, Verdict
from esante.services.conformance.kits.report import report, sign
from esante.services.conformance.kits.run_model import KeptRun, RunEnded, RunState
from esante.services.conformance.kits.runs import Runs
from esante.services.conformance.labels.service import Labels
from esante.services.conformance.model import Kind, Product, Statement
from esante.services.conformance.service import Conformance
from esante.services.conformance.vendors.model import Vendor, VendorChange, VendorStatus
from esante.services.conformance.vendors.service import Vendors

_PRODUCTS = (
    ("Dossier Exemple", "Exempla Software", "4.2", ("mhd", "pdqm", "ips"), 2),
    ("KrankenhausMuster", "Muster Systeme", "2026.1", ("mhd", "pdqm", "smart-backend", "eu-hdr"), 2),
    ("LabBeispill", "Beispill IT", "11", ("mhd", "eu-lab"), 1),
)
"""Invented products: name, vendor, version, profiles, how many phases are passed."""
_VENDOR = ("Praxis Muster", "Petra Muster", "vendor@example.lu")
"""The vendor whose key is kept: name, contact person, email."""
_LABELLED, _NEW, _PROFILES = ("Cabinet Modèle", "3.0"), "3.1", ("mhd", "pdqm", "smart-backend")
"""Their product with the labelled version, the version that is not labelled, and the profiles of both."""
_LABELLED_BEFORE = timedelta(days=400)
_OPERATORS = ("Olivia Opérateur", "Oskar Operator")


def vendor_key_path(data: Path) -> Path:
    """Return the file with the access key of the demo's vendor, in a data folder."""
    return data / "demo" / "keys" / "demo-vendor.key"


async def load_demo(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Load the invented software; what is there already stays."""
    operators = [Requester(kind="operator", id=uuid7(), name=name) for name in _OPERATORS]
    await _load_practice_software(platform, country, operators)
    await _load_attested(platform[Conformance], operators[0], country, progress)
    vendor = await _load_vendor(platform, operators[0], *_VENDOR)
    product = await _load_versions(platform, vendor, _LABELLED[0], (_LABELLED[1], _NEW), _PROFILES)
    await _load_label(platform, vendor, product[_LABELLED[1]], kits()["dsp"], operators)


async def _load_practice_software(platform: Platform, country: DemoCountry, operators: list[Requester]) -> None:
    """Let the software with which practices write fee notes have the label for it since before the first note."""
    at, moments = country.now - _LABELLED_BEFORE, count()
    await platform.journal.ensure_months(at, country.now)
    with use_clock(lambda: at + timedelta(milliseconds=next(moments))):
        for software in {one.client_id: one for one in country.software.values()}.values():
            _, contact, email = _VENDOR
            vendor = await _load_vendor(platform, operators[0], software.maker, contact, email)
            versions = await _load_versions(platform, vendor, software.name, ("1.0",), ("mhd",), software.client_id)
            await _load_label(platform, vendor, versions["1.0"], kits()["ra-pid"], operators)


async def _load_attested(
    conformance: Conformance, operator: Requester, country: DemoCountry, progress: Progress
) -> None:
    day = country.now.date() - timedelta(days=90)
    for place, (name, vendor, number, profiles, phases) in enumerate(_PRODUCTS, 1):
        if (await conformance.search(operator, name)).items:
            continue
        product = await conformance.register_product(operator, name, vendor, "contact@example.lu")
        version = await conformance.register_version(operator, product.product_id, number, profiles)
        for kind, body in ((Kind.CONFORMITY, "Institut de test fictif"), (Kind.CONNECTION, "esante"))[:phases]:
            evidence = Statement(kind=kind, body=body, reference=f"{kind.value}-{place}", passed_on=day)
            await conformance.state(operator, version.version_id, evidence)
        progress(place, len(_PRODUCTS), "products")


async def _load_vendor(platform: Platform, operator: Requester, name: str, contact: str, email: str) -> Vendor:
    """Return an accepted vendor; the access key of `_VENDOR` is in the data folder."""
    vendors, path = platform[Vendors], vendor_key_path(platform.settings.data)
    found = [one for one in (await vendors.search(operator, name)).items if one.name == name]
    if found:
        vendor = found[0]
        key = "" if path.exists() or name != _VENDOR[0] else await vendors.replace_key(vendor.requester())
    else:
        vendor, key = await vendors.register(name, contact, email, "127.0.0.1")
    if name == _VENDOR[0]:
        read_or_create_key(path, key.encode)
    if vendor.status is VendorStatus.REGISTERED:
        vendor = await vendors.change(operator, vendor.vendor_id, VendorChange.ACCEPTANCE)
    return vendor


async def _load_versions(
    platform: Platform, vendor: Vendor, name: str, numbers: Sequence[str], profiles: Sequence[str], client: str = ""
) -> dict[str, UUID]:
    """Return the versions of a product by their numbers."""
    conformance, requester = platform[Conformance], vendor.requester()
    product = await _find_product(conformance, requester, name)
    if product is None:
        product = await conformance.register_product(requester, name, vendor.name, vendor.email)
    versions = {one.version: one for one, _ in (await conformance.find(requester, product.product_id))[1]}
    for number in numbers:
        if number not in versions:
            versions[number] = await conformance.register_version(
                requester, product.product_id, number, profiles, client
            )
    return {number: one.version_id for number, one in versions.items()}


async def _load_label(
    platform: Platform, vendor: Vendor, version_id: UUID, kit: Kit, operators: list[Requester]
) -> None:
    labels = platform[Labels]
    if (await labels.of_versions([version_id]))[version_id]:
        return
    run = await _keep_run(platform, vendor, kit)
    label = await labels.apply(vendor.requester(), version_id, run.run_id)
    for operator in operators:
        await labels.review(operator, label.label_id, approved=True)


async def _find_product(conformance: Conformance, requester: Requester, name: str) -> Product | None:
    found = (await conformance.search(requester, name)).items
    return found[0][0] if found else None


async def _keep_run(platform: Platform, vendor: Vendor, kit: Kit) -> KeptRun:
    """Return an invented run in which every requirement was met."""
    now, runs = clock.now(), platform[Runs]
    target = "https://test.example.lu/fhir"
    outcomes = tuple(Outcome(requirement=one.id, verdict=Verdict.PASSED) for one in kit.requirements)
    run = Run(
        id=uuid7(),
        kit=kit.name,
        kit_version=kit.version,
        target=target,
        started_at=now - timedelta(minutes=1),
        ended_at=now,
        outcomes=outcomes,
    )
    kept = KeptRun(
        run_id=run.id,
        vendor_id=vendor.vendor_id,
        kit=kit.name,
        kit_version=kit.version,
        target=target,
        options={},
        state=RunState.ENDED,
        done=len(outcomes),
        total=len(outcomes),
        started_at=run.started_at,
        beat_at=now,
        ended_at=now,
        passed=run.passed,
        report=sign(report(run, kit), runs.key),
    )
    event = RunEnded(
        run_id=run.id,
        vendor_id=vendor.vendor_id,
        kit=kit.name,
        kit_version=kit.version,
        passed=run.passed,
        met=len(outcomes),
        failed=0,
    )
    rows = platform.journal.rows_for(vendor.requester(), event)
    await platform.db.write([run_store.run_row(kept), *rows])
    return kept
