"""A sample issue of invented figures; `python -m tests.support.bulletin_issue FOLDER` writes its files."""

import math
import random
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from esante.services.bulletin.model import (
    LATE_EVENTS,
    BulletinIssue,
    Cell,
    CellFlag,
    DataAnomaly,
    IndicatorKind,
    Revision,
    Vintage,
    VintageStatus,
)
from esante.services.bulletin.periods import shift_month
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.publication.issue_files import make_document, publish
from esante.services.bulletin.publication.model import IssueDocument
from esante.services.bulletin.releases.published import PublishedReleases, PublishedVintage

BASE = "https://esante.example"
SHARES = {
    "category": {"laboratory_report": 0.52, "discharge_letter": 0.16, "imaging_report": 0.13, "prescription": 0.08,
                 "consultation_report": 0.06, "patient_summary": 0.03, "letter": 0.02},
    "origin": {"laboratory": 0.5, "hospital": 0.37, "doctor": 0.12, "patient": 0.01},
    "format": {"application/pdf": 0.71, "application/hl7-cda+xml": 0.24, "application/fhir+json": 0.05},
    "deposit_kind": {"laboratory_report": 0.63, "discharge_letter": 0.19, "imaging_report": 0.14, "patient_summary": 0.03, "clinical_summary": 0.01},
    "delay": {"0": 0.48, "1": 0.21, "2-7": 0.19, "8-30": 0.09, "31+": 0.03},
    "reader": {"practitioner": 0.63, "patient": 0.34, "organization": 0.03},
    "profession": {"doctor": 0.55, "pharmacist": 0.17, "nurse": 0.15, "dentist": 0.09, "midwife": 0.03, "physiotherapist": 0.01},
    "grant": {"presence_code": 0.62, "circle": 0.21, "institution_stay": 0.17},
    "reason": {"no-grant": 0.71, "restricted": 0.18, "profession": 0.11},
    "choice": {"hidden": 0.58, "blocked": 0.27, "not_sharing": 0.15},
}  # fmt: skip
"""The shares of the categories of each breakdown."""
COURSES = {
    "records_open": (1_094_000, 0.0035, 0), "records_opened": (4_350, 0.003, 0.06), "records_closed": (118, 0.004, 0.1),
    "records_objected": (64, 0.002, 0.2), "records_with_document": (611_000, 0.009, 0), "patient_accounts": (141_000, 0.017, 0),
    "patients_active": (30_200, 0.019, 0.08), "documents_deposited": (268_000, 0.006, 0.09), "documents_delay": (2, -0.004, 0.2),
    "documents_read": (61_000, 0.021, 0.1), "records_consulted": (27_500, 0.02, 0.09), "professionals_active": (1_720, 0.013, 0.06),
    "organizations_active": (168, 0.006, 0.02), "grants_given": (23_400, 0.014, 0.08), "emergency_accesses": (41, 0.006, 0.2),
    "accesses_refused": (934, 0.002, 0.1), "restrictions_set": (720, 0.008, 0.1), "logs_read": (5_900, 0.024, 0.05),
    "professionals_registered": (66, 0.004, 0.15), "platform_requests": (8_100_000, 0.016, 0.05), "platform_failures": (2_420, -0.01, 0.4),
    "platform_hours": (736, 0, 0), "platform_latency": (212, -0.004, 0.05), "documents_with_deadline": (221_000, 0.006, 0.09),
}  # fmt: skip
"""Of each indicator: its first value, its growth a month, and its swing in a year."""
LATE = {
    "laboratory_report": 0.012,
    "discharge_letter": 0.19,
    "imaging_report": 0.08,
    "patient_summary": 0.05,
    "clinical_summary": 0.27,
}
"""The shares of documents with a deadline that come late."""


def make_cells(period: str, months: int, chance: random.Random) -> tuple[Cell, ...]:
    """Return the cells of a month, so many months after the first one."""
    found: list[Cell] = []
    totals: dict[str, int] = {}
    shares_last = sorted(declared_indicators().indicator, key=lambda one: one.kind is IndicatorKind.SHARE)
    for indicator in shares_last:
        if indicator.kind is IndicatorKind.SHARE:
            values = {(cell.indicator, cell.breakdown, cell.value_of): cell.value for cell in found}
            for breakdown, name in [key[1:] for key in values if key[0] == indicator.of[1]]:
                if breakdown in ("", *indicator.breakdowns):
                    part, whole = (values[one, breakdown, name] for one in indicator.of)
                    if part is None or whole is None:
                        found.append(Cell(indicator.id, period, breakdown, name, flag=CellFlag.MISSING))
                    else:
                        found.append(Cell(indicator.id, period, breakdown, name, round(100 * part / whole, 2)))
            continue
        if indicator.id == "platform_served":
            total = totals[indicator.id] = totals["platform_requests"] - totals["platform_failures"]
            found.append(Cell(indicator.id, period, value=total))
            continue
        if indicator.id in ("documents_in_time", "documents_late"):
            found += part_of_deadlines(indicator.id, found)
            continue
        if indicator.id not in COURSES:
            found.append(Cell(indicator.id, period, flag=CellFlag.MISSING))
            continue
        first, growth, swing = COURSES[indicator.id]
        wave = 1 + swing * math.sin((int(period[5:]) - 4) / 12 * math.tau) + swing * 0.3 * chance.uniform(-1, 1)
        total = totals[indicator.id] = max(1, round(first * (1 + growth) ** months * wave))
        found.append(Cell(indicator.id, period, value=total))
        for breakdown in indicator.breakdowns:
            found += split_total(indicator.id, period, breakdown, total)
    return tuple(found)


def part_of_deadlines(id_: str, cells: Sequence[Cell]) -> list[Cell]:
    """Return the documents that came in time or late, of those with a deadline."""
    found = []
    for cell in [cell for cell in cells if cell.indicator == "documents_with_deadline" and cell.breakdown]:
        late = round(cell.value * LATE[cell.value_of])
        value = late if id_ == "documents_late" else cell.value - late
        found.append(Cell(id_, cell.period, cell.breakdown, cell.value_of, value))
    return [Cell(id_, found[0].period, value=sum(cell.value for cell in found)), *found]


def split_total(id_: str, period: str, breakdown: str, total: int) -> list[Cell]:
    """Return a total by categories; the last one has the rest, small ones are suppressed."""
    shares = list(SHARES[breakdown].items())
    left = total
    found = []
    for place, (name, share) in enumerate(shares):
        value = left if place == len(shares) - 1 else round(total * share)
        left -= value
        small = value < 5
        flag = CellFlag.SUPPRESSED if small else CellFlag.PLAIN
        found.append(Cell(id_, period, breakdown, name, None if small else value, flag))
    return found


def sample_vintages(period: str = "2026-10", months: int = 36) -> list[Vintage]:
    """Return the months up to one, each in its first vintage."""
    chance = random.Random(7)
    found = []
    for number in range(months):
        month = shift_month(period, number + 1 - months)
        after = shift_month(month, 1)
        as_of = datetime(int(after[:4]), int(after[5:]), 10, 4, tzinfo=UTC)
        status = VintageStatus.PROVISIONAL if number > months - 3 else VintageStatus.FINAL
        found.append(
            Vintage(
                period=month,
                number=1,
                as_of=as_of,
                status=status,
                method=1,
                reason="",
                cells=make_cells(month, number, chance),
            )
        )
    return found


def sample_issue(period: str = "2026-10", months: int = 36) -> BulletinIssue:
    """Return the sample issue of a month, with its history and a revision."""
    *history, vintage = sample_vintages(period, months)
    revisions: tuple[Revision, ...] = ()
    if history:
        before = next(
            cell for cell in history[-1].cells if cell.indicator == "documents_deposited" and not cell.breakdown
        )
        after = Cell(before.indicator, before.period, value=before.value + 1_204)
        revisions = (Revision(before=before, after=after, number=2, reason=LATE_EVENTS),)
    return BulletinIssue(
        vintage=vintage,
        history=tuple(history),
        revisions=revisions,
        anomalies=(
            DataAnomaly(
                period=period, code="late", subject="record.deposited", found=212, expected=180, serious=False
            ),
        ),
        released_at=vintage.as_of.replace(day=12, hour=9),
    )


def sample(period: str = "2026-10", months: int = 36) -> IssueDocument:
    """Return the document of the sample issue."""
    return make_document(sample_issue(period, months), BASE, synthetic=True)


def publish_at(vintage: Vintage, day: int = 12) -> PublishedVintage:
    """Return a vintage as released on a day of the month in which it was made."""
    return PublishedVintage(vintage, vintage.as_of.replace(day=day))


def revise(vintage: Vintage, indicator: str, more: int) -> Vintage:
    """Return a second vintage of a month in which one total is higher."""

    def raise_total(cell: Cell) -> Cell:
        same = cell.series_key == (indicator, "", "")
        return Cell(cell.indicator, cell.period, value=cell.value + more) if same else cell

    cells = tuple(raise_total(cell) for cell in vintage.cells)
    return msgspec.structs.replace(
        vintage, number=2, status=VintageStatus.REVISED, reason="Late deposits", cells=cells
    )


def releases_of(vintages: Sequence[Vintage], *later: PublishedVintage) -> PublishedReleases:
    """Return the releases of vintages, and of some that came later."""
    return PublishedReleases([*(publish_at(vintage) for vintage in vintages), *later])


if __name__ == "__main__":
    for file in publish(sample_issue(), Path(sys.argv[1]), BASE, synthetic=True):
        print(f"{file.size:>9,} {file.path.name}")
