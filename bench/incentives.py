"""The decision of a quarter of incentives over the notes of a country."""

from datetime import date
from pathlib import Path
from time import perf_counter

from bench.bench_world import open_bench_platform
from bench.figures import Figures
from esante.contract import Platform
from esante.core.storage import uuid7
from esante.identity.access import Requester
from esante.services.incentives.decisions.service import Decisions
from esante.services.incentives.evidence import evidence_store
from esante.services.incentives.evidence.model import Label
from esante.services.incentives.evidence.reader import EvidenceReader
from esante.services.incentives.evidence.sources import sources
from esante.services.incentives.payments.service import Payments
from esante.services.incentives.schemes.model import Scheme
from esante.services.incentives.schemes.scheme_file import load_schemes, use_samples

DOCTORS, NOTES, FULL_NOTES = 3_000, 250_000, 1_250_000
QUARTER = "2026-Q3"
_BATCH = 50_000


async def incentives(data: Path, seconds: float, full: bool) -> Figures:
    """Measure the decision of a quarter: from the evidence to kept lines, and its confirmation with the orders."""
    notes = FULL_NOTES if full else NOTES
    async with open_bench_platform(data) as platform:
        await _fill(platform, notes)
        reader, payments, (one, other) = (
            platform[EvidenceReader],
            platform[Payments],
            (_operator("One"), _operator("Other")),
        )
        decisions = Decisions(platform.db, platform.journal, reader, _sample_schemes(), payments)
        began = perf_counter()
        await decisions.ask(one, QUARTER)
        while await decisions.advance():
            pass
        deciding = perf_counter() - began
        began = perf_counter()
        await decisions.confirm(other, QUARTER)
        confirming = perf_counter() - began
        run, (lines, paying, amount) = await decisions.find(one, QUARTER)
        assert not run.error and paying
    return {
        f"decision of a quarter, {DOCTORS:,} doctors, {notes:,} notes": f"{deciding:.1f} s   {lines:,} lines   {amount:,} EUR",
        "its confirmation, with the orders": f"{confirming:.1f} s",
    }


def _sample_schemes() -> tuple[Scheme, ...]:
    use_samples(True)
    return load_schemes("", sources().kinds)


def _operator(name: str) -> Requester:
    return Requester(kind="operator", id=uuid7(), name=name)


async def _fill(platform: Platform, notes: int) -> None:
    """Insert notes of invented doctors with three products on the days of the quarter; one in fifty was cancelled."""
    async with platform.db.transaction() as conn:
        for number in range(3):
            label = Label(
                version_id=uuid7(),
                kit="ra-pid",
                product=f"Product {number}",
                version="1",
                vendor_id=uuid7(),
                vendor="Vendor",
                clients=frozenset({f"client-{number}"}),
                since=date(2025, 1, 1),
                until=None,
                ended_on=None,
            )
            await evidence_store.keep_label(conn, label)
    for first in range(1, notes + 1, _BATCH):
        await platform.db.fetch(
            "INSERT INTO incentive_evidence (kind, document_id, provider_code, payee_code, profession, on_day,"
            " client_id, software, patient_key, amount, seq) SELECT 'fee_note', gen_random_uuid(),"
            " 90000000 + n % $2::bigint, 90000000 + n % $2::bigint, 'doctor',"
            " date '2026-07-01' + (n / $2::bigint % 92)::integer, 'client-' || n % 3, 'Product', n % 700000, 60.60, n"
            " FROM generate_series($1::bigint, $3::bigint) n",
            first,
            DOCTORS,
            min(first + _BATCH - 1, notes),
        )
    await platform.db.fetch(
        "INSERT INTO incentive_withdrawal (kind, document_id, on_day, seq) SELECT kind, document_id, on_day, seq"
        " FROM incentive_evidence WHERE seq % 50 = 0"
    )
    await platform.db.fetch("ANALYZE incentive_evidence, incentive_withdrawal")


PARTS = {"incentives": incentives}
