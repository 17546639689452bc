"""Tables of counts, protected and unprotected, and their audit."""

from collections.abc import Sequence
from typing import Any

from esante.core.disclosure import StatisticsKey
from esante.services.bulletin import Cell, CellFlag, IndicatorSpecification
from esante.services.bulletin.compilation.exact_counts import ExactCount
from esante.services.bulletin.disclosure.intruder_audit import AuditedVintage, DisclosedCell, IntruderAudit
from esante.services.bulletin.disclosure.suppression import protect
from esante.services.bulletin.model import ProtectedCell

SPECIFICATION = IndicatorSpecification.from_packages()
MONTH = "2026-10"
RULE = SPECIFICATION.rule_for(MONTH)
KEY = StatisticsKey(b"t" * 32)


def count_table(*parts: int) -> dict[str, list[ExactCount]]:
    """Return grants by kind: an exact table of one breakdown."""
    total = sum(parts)
    cells = [ExactCount("grant", f"kind {number}", count, rows=count) for number, count in enumerate(parts) if count]
    return {"grants_given": [ExactCount("", "", total, rows=total), *cells]}


def protect_counts(counts: dict[str, list[ExactCount]], **options: Any) -> list[ProtectedCell]:
    """Return the protected cells of the counted indicators."""
    cells = protect(MONTH, counts, SPECIFICATION, KEY, **options)
    return [protected for protected in cells if protected.cell.indicator in counts]


def audited(cells: Sequence[ProtectedCell], number: int = 1) -> AuditedVintage:
    """Return a vintage of the month with these cells."""
    return AuditedVintage(MONTH, number, cells, RULE)


def find_disclosed(*vintages: AuditedVintage) -> list[DisclosedCell]:
    """Return the disclosed cells of vintages that are published together."""
    return IntruderAudit(vintages, SPECIFICATION.indicators, SPECIFICATION.relations).find_disclosed_cells()


def unprotect(cells: Sequence[ProtectedCell]) -> list[ProtectedCell]:
    """Return the same cells with their exact values published."""
    return [
        protected._replace(
            cell=Cell(
                protected.cell.indicator,
                protected.cell.period,
                *protected.cell.series_key[1:],
                protected.exact,
                CellFlag.PLAIN,
            )
        )
        for protected in cells
    ]


def unprotect_vintages(vintages: Sequence[AuditedVintage]) -> list[AuditedVintage]:
    """Return the same vintages with the exact values published."""
    return [AuditedVintage(each.period, each.number, unprotect(each.cells), each.rule) for each in vintages]
