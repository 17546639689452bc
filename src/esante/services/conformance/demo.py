"""Demonstration data: invented products, a vendor with an account and a key, and a version of theirs with a label."""

from datetime import timedelta
from pathlib import Path

from esante.contract import DemoCountry, Platform
from esante.core import clock
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
"""The vendor with an account: name, contact person, email."""
_LABELLED, _NEW, _PROFILES = ("Cabinet Modèle", "3.0"), "3.1", ("mhd", "pdqm", "smart-backend")
"""Their product with the labelled version, the version that is not labelled, and the profiles of both."""
_OPERATORS = ("Olivia Opérateur", "Oskar Operator")


def vendor_key_path(data: Path) -> Path:
    """Return the file with the access key of the demo's vendor, in a data folder."""
    return data / "demo" / "keys" / "demo-vendor.key"


async def load_demo(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Load the invented software; what is there already stays."""
    operators = [Requester(kind="operator", id=uuid7(), name=name) for name in _OPERATORS]
    await _load_attested(platform[Conformance], operators[0], country, progress)
    vendor = await _load_vendor(platform, operators[0])
    await _load_labelled(platform, vendor, operators)


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


async def _load_vendor(platform: Platform, operator: Requester) -> Vendor:
    """Return the vendor with an account, whose access key is in the data folder."""
    vendors, path = platform[Vendors], vendor_key_path(platform.settings.data)
    name, contact, email = _VENDOR
    found = [one for one in (await vendors.search(operator, name)).items if one.name == name]
    if found:
        vendor = found[0]
        key = "" if path.exists() else await vendors.replace_key(vendor.requester())
    else:
        vendor, key = await vendors.register(name, contact, email, "127.0.0.1")
    read_or_create_key(path, key.encode)
    if vendor.status is VendorStatus.REGISTERED:
        vendor = await vendors.change(operator, vendor.vendor_id, VendorChange.ACCEPTANCE)
    return vendor


async def _load_labelled(platform: Platform, vendor: Vendor, operators: list[Requester]) -> None:
    conformance, labels, requester = platform[Conformance], platform[Labels], vendor.requester()
    product = await _find_product(conformance, requester)
    if product is None:
        product = await conformance.register_product(requester, _LABELLED[0], vendor.name, vendor.email)
    versions = {one.version: one for one, _ in (await conformance.find(requester, product.product_id))[1]}
    for number in (_LABELLED[1], _NEW):
        if number not in versions:
            versions[number] = await conformance.register_version(requester, product.product_id, number, _PROFILES)
    labelled = versions[_LABELLED[1]].version_id
    if (await labels.of_versions([labelled]))[labelled]:
        return
    run = await _keep_run(platform, vendor, kits()["dsp"])
    label = await labels.apply(requester, labelled, run.run_id)
    for operator in operators:
        await labels.review(operator, label.label_id, approved=True)


async def _find_product(conformance: Conformance, requester: Requester) -> Product | None:
    found = (await conformance.search(requester, _LABELLED[0])).items
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
