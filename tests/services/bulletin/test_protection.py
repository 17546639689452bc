"""Disclosure control against its attacker: he finds nothing with it, and finds cells without it."""

from datetime import timedelta
from itertools import product
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.core.journal import Actor
from esante.services.bulletin import Cell, CellFlag, IndicatorSpecification
from esante.services.bulletin.compilation.lake_store import ExactCount
from esante.services.bulletin.compilation.pseudonyms import BulletinKey
from esante.services.bulletin.disclosure.intruder_audit import LinearConstraint, AuditedVintage, IntruderAudit, _Solver
from esante.services.bulletin.disclosure.suppression import noise, protect
from esante.services.bulletin.model import ProtectedCell
from esante.services.record import DepositedEvent

from .conftest import LAST, NOW, bulletin_over, tell, with_past

RECIPE = IndicatorSpecification.from_packages()
RULE = RECIPE.rule("2026-10")
KEY = BulletinKey(b"t" * 32)


def table(*parts: int, key: int = 0) -> dict[str, list[ExactCount]]:
    """Grants by kind: an exact table of one breakdown."""
    total = sum(parts)
    cells = [ExactCount("grant", f"kind {place}", n, rows=n) for place, n in enumerate(parts) if n]
    return {"grants_given": [ExactCount("", "", total, rows=total), *cells]}


def guard(counts: dict[str, list[ExactCount]], period: str = "2026-10", **about) -> list[ProtectedCell]:
    return [g for g in protect(period, counts, RECIPE, KEY, **about) if g.cell.indicator in counts]


def attacked(*months: AuditedVintage) -> list:
    return IntruderAudit(months, RECIPE.indicators, RECIPE.relations).disclosed()


def bare(cells: list[ProtectedCell]) -> list[ProtectedCell]:
    """The same cells with protection switched off: what must be guarded is shown."""
    return [
        g._replace(cell=Cell(*[*g.cell.series_key[:1], g.cell.period, *g.cell.series_key[1:]], g.exact, CellFlag.PLAIN))
        for g in cells
    ]


@settings(max_examples=15)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=8))
def test_no_hidden_number_of_a_table_can_be_told_closely(parts):
    cells = guard(table(*parts))
    assert attacked(AuditedVintage("2026-10", 1, cells, RULE)) == []
    for cell, exact, _ in cells:
        assert cell.value is None or cell.value == exact
        assert not (cell.value is not None and 0 < cell.value < RULE.threshold)


@settings(max_examples=15)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(lambda parts: any(0 < n < 5 for n in parts)))
def test_with_protection_off_the_attacker_finds_every_small_number(parts):
    cells = guard(table(*parts))
    found = attacked(AuditedVintage("2026-10", 1, bare(cells), RULE))
    assert {(e.key[2:], e.low) for e in found} == {(c.series_key, n) for c, n, need in cells if need}


def test_hiding_the_small_number_alone_is_found_out_by_the_total():
    cells = bare(guard(table(3, 20, 30)))
    only = [
        g._replace(cell=Cell(*["grants_given", "2026-10", "grant", "kind 0"], None, CellFlag.SUPPRESSED))
        if g.cell.value_of == "kind 0"
        else g
        for g in cells
    ]
    (disclosed,) = attacked(AuditedVintage("2026-10", 1, only, RULE))
    assert (disclosed.low, disclosed.high) == (3, 3)
    shown = {c.value_of: c.value for c, _, _ in guard(table(3, 20, 30))}
    assert shown == {"": 53, "kind 0": None, "kind 1": None, "kind 2": 30}


@settings(max_examples=15)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_the_linear_programme_finds_what_trying_everything_finds(parts):
    month = AuditedVintage("2026-10", 1, guard(table(*parts)), RULE)
    system = IntruderAudit([month], RECIPE.indicators, RECIPE.relations)
    hidden = [g for g in month.cells if g.cell.flag is CellFlag.SUPPRESSED and g.cell.breakdown]
    total = next(g.cell for g in month.cells if not g.cell.breakdown)
    if not hidden or total.value is None:
        return
    left = total.value - sum(g.cell.value for g in month.cells if g.cell.breakdown and g.cell.value)
    worlds = [w for w in product(range(1, left + 1), repeat=len(hidden)) if sum(w) == left]
    wide = [g._replace(need=10_000.0) for g in month.cells if g in hidden]
    asked = IntruderAudit(
        [AuditedVintage("2026-10", 1, [g for g in month.cells if g not in hidden] + wide, RULE)], RECIPE.indicators, ()
    )
    found = {e.key[4]: (e.low, e.high) for e in asked.disclosed()}
    for place, g in enumerate(hidden):
        assert found[g.cell.value_of] == (min(w[place] for w in worlds), max(w[place] for w in worlds))
    assert system.disclosed() == []


@given(st.data())
def test_what_one_equation_leaves_is_what_the_linear_programme_finds(data):
    known = data.draw(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1.0, -1.0])), min_size=2, max_size=5))
    keys = [("2026-10", 1, "grants_given", "grant", str(place)) for place in range(len(known))]
    limits = data.draw(st.lists(st.sampled_from([0, 3, inf]), min_size=len(known), max_size=len(known)))
    bounds = {
        key: (max(0.0, value - limit), value + limit)
        for key, (value, _), limit in zip(keys, known, limits, strict=True)
    }
    slack = data.draw(st.integers(0, 4))
    held = ("2026-10", 1, "grants_given", "", "")
    bounds[held] = (total := -sum(value * factor for value, factor in known) - slack, total)
    terms = {key: factor for key, (_, factor) in zip(keys, known, strict=True)} | {held: 1.0}
    equation = LinearConstraint(terms, at_most=data.draw(st.booleans()) if slack == 0 else True)
    quick, slow = (_Solver(keys, [equation] * times, bounds) for times in (1, 2))
    for key in keys:
        assert quick.interval(key) == slow.interval(key)


def test_what_was_hidden_once_stays_hidden_or_the_difference_tells():
    first = guard(table(3, 20, 30))
    earlier = [AuditedVintage("2026-10", 1, first, RULE)]
    late = table(6, 20, 30)
    naive = guard(late)
    assert all(cell.value is not None for cell, _, _ in naive)
    (found, *_) = attacked(*earlier, AuditedVintage("2026-10", 2, naive, RULE))
    assert found.key[:2] == ("2026-10", 1)
    hidden = {cell.series_key for cell, _, _ in first if cell.flag is CellFlag.SUPPRESSED}
    second = guard(late, hidden=hidden, earlier=earlier, number=2)
    assert attacked(*earlier, AuditedVintage("2026-10", 2, second, RULE)) == []


def test_one_establishment_is_not_shown_behind_a_large_number():
    def cells(largest: int, contributors: int) -> list[ProtectedCell]:
        part = ExactCount("origin", "hospital", 500, 0, largest, contributors, 500)
        rest = [ExactCount("origin", name, 400, 0, 100, 9, 400) for name in ("laboratory", "doctor")]
        return guard({"documents_deposited": [ExactCount("", "", 1_300, 0, largest, 20, 1_300), part, *rest]})

    assert all(cell.value is not None for cell, _, _ in cells(300, 4))
    for largest, contributors in ((460, 4), (260, 2)):
        shown = {cell.value_of: cell.value for cell, _, _ in cells(largest, contributors)}
        assert shown["hospital"] is None
        assert list(shown.values()).count(None) == 2


def test_another_breakdown_does_not_tell_the_total_that_hides_small_numbers():
    origins = [ExactCount("origin", name, n, 0, 1, 9, n) for name, n in (("doctor", 2), ("laboratory", 4))]
    formats = [ExactCount("format", "text/plain", 6, 0, 1, 9, 6)]
    cells = guard({"documents_deposited": [ExactCount("", "", 6, 0, 1, 9, 6), *origins, *formats]})
    assert attacked(AuditedVintage("2026-10", 1, cells, RULE)) == []
    assert {cell.value for cell, _, _ in cells} == {None}


def test_what_is_hidden_throughout_has_no_upper_end():
    """HiGHS' presolve takes this programme for one without a solution."""
    hidden = [
        ProtectedCell(Cell("professionals_active", "2026-10", *place, None, CellFlag.SUPPRESSED), exact, 3.0)
        for place, exact in ((("", ""), 3), (("profession", "doctor"), 2), (("profession", "midwife"), 1))
    ]
    assert attacked(AuditedVintage("2026-10", 1, hidden, RULE)) == []


@given(st.integers(0, 10_000), st.integers(0, 2**40))
def test_noise_is_bounded_keeps_zero_and_is_the_same_for_the_same_people(value, people):
    step = noise(value, people, RULE, KEY)
    assert abs(step) <= RULE.noise
    assert value + step >= 0
    assert value or not step
    assert step == noise(value, people, RULE, BulletinKey(b"t" * 32))


@pytest.mark.parametrize("value", [1, 2, 3, 50])
def test_noise_has_no_bias_and_depends_on_the_key(value):
    steps = [noise(value, people, RULE, KEY) for people in range(8_000)]
    assert abs(sum(steps) / len(steps)) < 0.06
    assert len(set(steps)) == 2 * min(value, RULE.noise) + 1
    assert steps != [noise(value, people, RULE, BulletinKey(b"u" * 32)) for people in range(8_000)]


def test_the_same_people_give_the_same_number_in_every_table():
    counts = {
        "professionals_active": [ExactCount("", "", 40, 123, rows=40), ExactCount("profession", "doctor", 40, 123, rows=40)],
        "organizations_active": [ExactCount("", "", 40, 123, rows=40)],
    }
    values = {cell.value for cell, _, _ in guard(counts)}
    assert len(values) == 1


async def test_who_works_alone_is_an_establishment(fresh, tmp_path):
    await fresh.ensure_months(NOW - timedelta(days=65), NOW + timedelta(days=40))
    year, month = map(int, LAST.split("-"))
    told = DepositedEvent(type="51852-2", media_type="text/plain", categories=("letter",), delay=1)
    deposits = [
        (
            told,
            None,
            Actor(kind="practitioner", role=role, id=f"{role}{n % people}"),
            NOW.replace(year, month, 9, n % 24),
        )
        for role, people in (("doctor", 9), ("midwife", 1))
        for n in range(300)
    ]
    await tell(fresh, deposits)
    built = await bulletin_over(fresh, tmp_path).build(LAST, "anna")
    cells = {cell.series_key: cell.flag for cell in built.vintage.cells}
    assert cells["documents_deposited", "origin", "midwife"] is CellFlag.SUPPRESSED
    assert cells["documents_deposited", "", ""] is CellFlag.PLAIN


async def test_the_attacker_finds_nothing_in_the_months_together_and_much_without_protection(past):
    months = await past.fetch_audited_vintages()
    assert len(months) == 5
    assert attacked(*months) == []
    off = [AuditedVintage(m.period, m.number, bare(m.cells), m.rule) for m in months]
    assert len(attacked(*off)) == sum(1 for m in months for g in m.cells if g.need) > 20


@pytest.mark.long
async def test_the_attacker_finds_nothing_in_the_36_months_of_the_demo(fresh, tmp_path):
    await with_past(fresh, 36, seed=1, size=1.0)
    bulletin = bulletin_over(fresh, tmp_path)
    assert len((await bulletin.build(LAST, "anna")).new) == 36
    months = await bulletin.fetch_audited_vintages()
    assert attacked(*months) == []
    assert len(attacked(*[AuditedVintage(m.period, m.number, bare(m.cells), m.rule) for m in months])) > 200
