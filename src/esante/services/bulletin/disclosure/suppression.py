"""Disclosure control: what of the exact counts may be published, by the dated rule (data/protection.toml).

Counts of people get a small noise that depends on nothing but who is counted, so the same people give the same
number in every table, month and vintage, and asking again averages nothing away. Other counts stay exact; small
ones and those that one establishment makes up are hidden, and others with them until the attacker finds nothing.
"""

from collections.abc import Collection, Mapping, Sequence

from esante.services.bulletin.compilation.indicator_spec import Recipe, Rule
from esante.services.bulletin.compilation.indicators import Count
from esante.services.bulletin.compilation.pseudonyms import BulletinKey
from esante.services.bulletin.disclosure.intruder_audit import Exposed, Month, System
from esante.services.bulletin.model import Cell, Flag, Guarded, Indicator, Measure, Protection

Place = tuple[str, str, str]
ROUNDS = 50
"""After so many rounds of hiding what is still exposed stays exposed, and the release fails."""


def protect(
    period: str,
    counted: Mapping[str, Sequence[Count]],
    recipe: Recipe,
    key: BulletinKey,
    *,
    hidden: Collection[Place] = (),
    earlier: Sequence[Month] = (),
    number: int = 1,
) -> list[Guarded]:
    """The guarded cells of a month, in the order of the recipe.

    `hidden`: places that an earlier vintage of the month hides; they stay hidden, or the difference would tell.
    `earlier`: what is published beside it (other months, earlier vintages).
    """
    rule = recipe.rule(period)
    cells = {
        guarded.cell.place: guarded
        for indicator in recipe.indicators.values()
        for guarded in _first(period, indicator, counted.get(indicator.id), rule, key)
    }
    for place in hidden:
        if place in cells and cells[place].exact:
            cells[place] = _hide(cells[place])
    for _ in range(ROUNDS):
        month = Month(period, number, list(cells.values()), rule)
        system = System([*earlier, month], recipe.indicators, recipe.relations)
        found = system.exposed(only=(period, number))
        partners = {_partner(exposed, cells, system, recipe.indicators) for exposed in found} - {None}
        if not partners:
            break
        for place in filter(None, partners):
            cells[place] = _hide(cells[place])
    return [*_with_shares(period, cells, recipe.indicators)]


def _first(
    period: str, indicator: Indicator, counted: Sequence[Count] | None, rule: Rule, key: BulletinKey
) -> list[Guarded]:
    """The cells of an indicator with noise, or with what is small or dominated hidden."""
    if counted is None:
        return [Guarded(Cell(indicator.id, period, flag=Flag.MISSING), None)]
    return [_guarded(Cell(indicator.id, period, c.breakdown, c.value_of), c, indicator, rule, key) for c in counted]


def _guarded(cell: Cell, count: Count, indicator: Indicator, rule: Rule, key: BulletinKey) -> Guarded:
    if count.value is None:
        return Guarded(_with(cell, None, Flag.MISSING), None)
    small = 0 < count.rows < rule.threshold
    if indicator.protection is Protection.PERTURB:
        value = count.value + noise(count.value, count.key, rule, key)
        return Guarded(_with(cell, value, Flag.PERTURBED), count.value, float(rule.noise) if small else 0.0)
    if indicator.protection is Protection.SUPPRESS:
        need = float(rule.width) if small else _dominated(count, rule)
        if need:
            return Guarded(_with(cell, None, Flag.SUPPRESSED), count.value, need)
    return Guarded(_with(cell, count.value, Flag.PLAIN), count.value)


def noise(value: int, cell_key: int, rule: Rule, key: BulletinKey) -> int:
    """The noise of a count: none on 0, else without bias between plus and minus the bound, or the count itself."""
    bound = min(rule.noise, value)
    if bound <= 0:
        return 0
    weights = [1 << (rule.noise - abs(step)) for step in range(-bound, bound + 1)]
    left = key.chance(cell_key) * sum(weights)
    for step, weight in zip(range(-bound, bound + 1), weights, strict=True):
        left -= weight
        if left < 0:
            return step
    return bound


def _dominated(count: Count, rule: Rule) -> float:
    """How wide the interval must be where few establishments, or one, make up a cell; else 0."""
    if count.contributors <= 0 or not count.value:
        return 0.0
    if count.contributors >= rule.contributors and count.largest <= rule.dominance_share * count.value:
        return 0.0
    return max(float(rule.width), rule.dominance_width * count.value)


def _partner(
    exposed: Exposed, cells: Mapping[Place, Guarded], system: System, indicators: Mapping[str, Indicator]
) -> Place | None:
    """The cell to hide with an exposed one: itself if it still shows, else the smallest of the nearest that do, totals
    last. Near is what stands in one equation with it, then what stands in one with a hidden one of these, and so on:
    a hidden total hides nothing while another breakdown adds up to it."""

    def may_be_hidden(place: Place) -> bool:
        return bool(cells[place].exact) and indicators[place[0]].protection is not Protection.NONE

    own = exposed.key[2:]
    if cells[own].cell.flag is not Flag.SUPPRESSED:
        return own
    ring, seen = {own}, {own}
    while ring:
        ring = _beside(ring, exposed.key[:2], system) - seen
        seen |= ring
        hidden = {place for place in ring if cells[place].cell.flag is Flag.SUPPRESSED}
        if showing := [place for place in ring - hidden if may_be_hidden(place)]:
            return min(showing, key=lambda place: (place[1] == "", cells[place].exact, place))
        ring = hidden
    return None


def _beside(places: Collection[Place], vintage: tuple[str, int], system: System) -> set[Place]:
    """The places of a vintage that stand in an equation with one of some."""
    keys = {(*vintage, *place) for place in places}
    together = [equation.terms for equation in system.equations if not keys.isdisjoint(equation.terms)]
    return {key[2:] for terms in together for key in terms if key[:2] == vintage}


def _hide(guarded: Guarded) -> Guarded:
    return guarded._replace(cell=_with(guarded.cell, None, Flag.SUPPRESSED))


def _with(cell: Cell, value: float | None, flag: Flag) -> Cell:
    return Cell(cell.indicator, cell.period, cell.breakdown, cell.value_of, value, flag)


def _with_shares(period: str, cells: Mapping[Place, Guarded], indicators: Mapping[str, Indicator]) -> list[Guarded]:
    """All cells with the shares, which are made of what is published and so tell nothing more."""
    found = []
    for indicator in indicators.values():
        if indicator.measure is not Measure.SHARE:
            found += [guarded for guarded in cells.values() if guarded.cell.indicator == indicator.id]
            continue
        part, whole = (cells[other, "", ""].cell for other in indicator.of)
        cell = Cell(indicator.id, period)
        if part.value is None or not whole.value:
            flag = Flag.SUPPRESSED if Flag.SUPPRESSED in (part.flag, whole.flag) else Flag.MISSING
            found.append(Guarded(_with(cell, None, flag), None))
        else:
            share = round(100 * part.value / whole.value, 2)
            found.append(Guarded(_with(cell, int(share) if share.is_integer() else share, Flag.PLAIN), None))
    return found
