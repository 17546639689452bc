"""Statistical disclosure control of exact counts, by the dated rule (`core.disclosure`).

Counts of people are perturbed by cell-key noise: it depends only on who is counted, so the same people give the same
number in every table, month and vintage, and repeated queries average nothing away. Other counts stay exact: small and
dominated cells are suppressed (primary suppression), and further cells until the intruder audit finds no disclosed one
(secondary suppression).
"""

from collections.abc import Collection, Mapping, Sequence

from esante.core.disclosure import DisclosureRule, StatisticsKey, noise
from esante.services.bulletin.compilation.exact_counts import ExactCount
from esante.services.bulletin.compilation.indicator_spec import IndicatorSpecification
from esante.services.bulletin.disclosure.intruder_audit import AuditedVintage, DisclosedCell, IntruderAudit
from esante.services.bulletin.model import (
    Aggregation,
    Cell,
    CellFlag,
    Indicator,
    ProtectedCell,
    Protection,
    SeriesKey,
)

ROUNDS = 50
"""The most rounds of secondary suppression; cells disclosed after them stay disclosed, and the release fails."""


def protect(
    period: str,
    counts: Mapping[str, Sequence[ExactCount]],
    specification: IndicatorSpecification,
    key: StatisticsKey,
    *,
    suppressed: Collection[SeriesKey] = (),
    earlier: Sequence[AuditedVintage] = (),
    number: int = 1,
) -> list[ProtectedCell]:
    """Return the protected cells of a month, in the order of the specification.

    `suppressed`: cells that an earlier vintage suppresses; they stay suppressed, or the difference would disclose
    them.
    `earlier`: what is published beside the month (other months, earlier vintages). `number`: of the new vintage.
    """
    rule, indicators = specification.rule_for(period), specification.indicators
    cells = {
        protected.cell.series_key: protected
        for indicator in indicators.values()
        for protected in _protect_primary(period, indicator, counts.get(indicator.id), rule, key)
    }
    for series in suppressed:
        if series in cells and cells[series].exact:
            cells[series] = _suppress(cells[series])
    for _ in range(ROUNDS):
        vintage = AuditedVintage(period, number, list(cells.values()), rule)
        audit = IntruderAudit([*earlier, vintage], indicators, specification.relations)
        disclosed = audit.find_disclosed_cells(only=(period, number))
        secondary = {_secondary_cell(cell, cells, audit, indicators) for cell in disclosed} - {None}
        if not secondary:
            break
        for series in filter(None, secondary):
            cells[series] = _suppress(cells[series])
    return [*_add_shares(period, cells, indicators)]


def _protect_primary(
    period: str, indicator: Indicator, counts: Sequence[ExactCount] | None, rule: DisclosureRule, key: StatisticsKey
) -> list[ProtectedCell]:
    """Return the cells of an indicator with noise, or with small and dominated ones suppressed."""
    if counts is None:
        return [ProtectedCell(Cell(indicator.id, period, flag=CellFlag.MISSING), None)]
    return [
        _protect_cell(Cell(indicator.id, period, count.breakdown, count.value_of), count, indicator, rule, key)
        for count in counts
    ]


def _protect_cell(
    cell: Cell, count: ExactCount, indicator: Indicator, rule: DisclosureRule, key: StatisticsKey
) -> ProtectedCell:
    if count.value is None:
        return ProtectedCell(_with_value(cell, None, CellFlag.MISSING), None)
    small = 0 < count.rows < rule.threshold
    if indicator.protection is Protection.PERTURB:
        value = count.value + noise(count.value, count.key, rule, key)
        required_width = float(rule.noise) if small else 0.0
        return ProtectedCell(_with_value(cell, value, CellFlag.PERTURBED), count.value, required_width)
    if indicator.protection is Protection.SUPPRESS:
        required_width = float(rule.width) if small else _dominance_width(count, rule)
        if required_width:
            return ProtectedCell(_with_value(cell, None, CellFlag.SUPPRESSED), count.value, required_width)
    return ProtectedCell(_with_value(cell, count.value, CellFlag.PLAIN), count.value)


def _dominance_width(count: ExactCount, rule: DisclosureRule) -> float:
    """Return the required width of a cell with few or one dominating establishment; else 0."""
    if count.contributors <= 0 or not count.value:
        return 0.0
    if count.contributors >= rule.contributors and count.largest <= rule.dominance_share * count.value:
        return 0.0
    return max(float(rule.width), rule.dominance_width * count.value)


def _secondary_cell(
    disclosed: DisclosedCell,
    cells: Mapping[SeriesKey, ProtectedCell],
    audit: IntruderAudit,
    indicators: Mapping[str, Indicator],
) -> SeriesKey | None:
    """Return the cell to suppress with a disclosed one, or None.

    It is the cell itself if it is not suppressed, else the smallest of the nearest published cells, totals last.
    Nearest are cells in one constraint with it, then those in one with a suppressed cell of these, and so on: a
    suppressed total protects nothing while another breakdown adds up to it.
    """

    def may_be_suppressed(series: SeriesKey) -> bool:
        return bool(cells[series].exact) and indicators[series[0]].protection is not Protection.NONE

    own = disclosed.key[2:]
    if cells[own].cell.flag is not CellFlag.SUPPRESSED:
        return own
    ring, visited = {own}, {own}
    while ring:
        ring = _neighbours(ring, disclosed.key[:2], audit) - visited
        visited |= ring
        suppressed = {series for series in ring if cells[series].cell.flag is CellFlag.SUPPRESSED}
        if published := [series for series in ring - suppressed if may_be_suppressed(series)]:
            return min(published, key=lambda series: (series[1] == "", cells[series].exact, series))
        ring = suppressed
    return None


def _neighbours(series_keys: Collection[SeriesKey], vintage: tuple[str, int], audit: IntruderAudit) -> set[SeriesKey]:
    """Return the cells of a vintage that are in a constraint with one of `series_keys`."""
    keys = {(*vintage, *series) for series in series_keys}
    together = [constraint.terms for constraint in audit.constraints if not keys.isdisjoint(constraint.terms)]
    return {key[2:] for terms in together for key in terms if key[:2] == vintage}


def _suppress(protected: ProtectedCell) -> ProtectedCell:
    return protected._replace(cell=_with_value(protected.cell, None, CellFlag.SUPPRESSED))


def _with_value(cell: Cell, value: float | None, flag: CellFlag) -> Cell:
    return Cell(cell.indicator, cell.period, cell.breakdown, cell.value_of, value, flag)


def _add_shares(
    period: str, cells: Mapping[SeriesKey, ProtectedCell], indicators: Mapping[str, Indicator]
) -> list[ProtectedCell]:
    """Return all cells with the shares; these are computed from published values and so disclose nothing more."""
    found = []
    for indicator in indicators.values():
        if indicator.measure is not Aggregation.SHARE:
            found += [protected for protected in cells.values() if protected.cell.indicator == indicator.id]
            continue
        part, total = indicator.of
        wholes = [key[1:] for key in cells if key[0] == total and key[1] in ("", *indicator.breakdowns)]
        for breakdown, value_of in sorted(wholes):
            whole = cells[total, breakdown, value_of].cell
            none = ProtectedCell(Cell(part, period, breakdown, value_of, 0), 0)  # a category without a row is 0
            counted = cells.get((part, breakdown, value_of), none).cell
            found.append(_share(Cell(indicator.id, period, breakdown, value_of), counted, whole))
    return found


def _share(cell: Cell, part: Cell, total: Cell) -> ProtectedCell:
    """Return a share of two published cells, in per cent."""
    if part.value is None or not total.value:
        flag = CellFlag.SUPPRESSED if CellFlag.SUPPRESSED in (part.flag, total.flag) else CellFlag.MISSING
        return ProtectedCell(_with_value(cell, None, flag), None)
    share = round(100 * part.value / total.value, 2)
    return ProtectedCell(_with_value(cell, int(share) if share.is_integer() else share, CellFlag.PLAIN), None)
