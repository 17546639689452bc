"""What the adjudication of a note costs, beside one that asks the database for each rule.

The second one is what a plain Django application does: the rules are rows, and every check fetches its own (one query
each, one after the other, over a connection that is open already). It runs the same code over what it fetched, against
PostgreSQL on the same machine, and must reach the same decision.
"""

import json
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from statistics import quantiles
from time import perf_counter, process_time
from uuid import UUID

import asyncpg

from bench.bench_world import open_bench_platform
from bench.figures import Figures
from esante.services.billing.adjudication import RuleSet, adjudicate, current_rules
from esante.services.billing.adjudication.model import Adjudication, Case, Cover, PastAct
from esante.services.billing.adjudication.terms import RATES, RULES, Rule, RulePeriod, load_rules
from esante.services.billing.nomenclature import Nomenclature, load_surcharges
from esante.services.billing.nomenclature.model import Act as NomenclatureAct
from esante.services.billing.nomenclature.model import TariffTerms, Value
from esante.services.billing.nomenclature.terms import load_tariff
from esante.services.billing.note.model import (
    Act,
    Biller,
    FeeNote,
    Insured,
    NoteLine,
    Patient,
    Period,
    PostalAddress,
    Settlement,
)

ON, PROVIDER = date(2026, 11, 2), "90000011"
CODES = ("C1", "9T01", "9T02", "9T03", "9T10", "9R01", "9R02", "RM1", "CP1", "9T06")
PAST, RUNS, QUERY_RUNS = 20, 5_000, 100
_PERSON = UUID(int=1)
_ADDRESS = PostalAddress(street="Rue de l’Exemple")


def make_case(codes: tuple[str, ...], past: int) -> Case:
    """Return the case of a note with a line for each code, of a patient with some acts in the weeks before."""
    lines = tuple(
        NoteLine(
            number=number, act=Act(code=code), period=Period(start=ON, start_time=time(10)), gross=Decimal("60.60")
        )
        for number, code in enumerate(codes, 1)
    )
    return Case(
        note=FeeNote(
            id=UUID(int=2),
            issued_on=ON,
            biller=Biller(provider_code=PROVIDER, family="Mesure", address=_ADDRESS),
            patient=Patient(matricule="1980050512345"),
            insured=Insured(address=_ADDRESS),
            lines=lines,
            settlement=Settlement(subtotal=Decimal(0), due=Decimal(0)),
        ),
        birth_date=date(1980, 5, 5),
        covers=(Cover(fund="CNS", since=date(2000, 1, 1)),),
        specialities=("general_medicine",),
        past=tuple(
            PastAct(code="C1", on=date(2026, 10, 1 + number % 28), provider_code=PROVIDER) for number in range(past)
        ),
    )


async def adjudication(data: Path, seconds: float, full: bool) -> Figures:
    """Measure notes of one and of ten lines, by compiled rules and by one query for each rule."""
    rules = current_rules()
    ten, one = make_case(CODES, PAST), make_case(CODES[:1], 0)
    figures: Figures = {
        "10 lines, 20 past acts, compiled rules": _measure(ten, rules),
        "1 line, compiled rules": _measure(one, rules),
    }
    began = process_time()
    RuleSet(rules.nomenclature, load_rules(RULES), load_rules(RATES), load_surcharges().values()).on(ON)
    figures["reading and compiling the rules, once"] = f"{(process_time() - began) * 1e3:.0f} ms of processor time"
    async with open_bench_platform(data) as platform:
        conn = await asyncpg.connect(platform.dsn)
        try:
            queries = await _fill(conn, rules, ten)
            wall, asked = await _measure_queries(conn, ten, adjudicate(ten, rules))
        finally:
            await conn.close()
    mean = _mean(ten, rules)
    figures[f"10 lines, one query for each rule ({asked} queries)"] = f"p50 {wall:.1f} ms by the clock"
    figures["rules and values as rows"] = queries
    figures["ratio"] = f"{wall / mean * 1e3:,.0f} x"
    return figures


def _measure(case: Case, rules: RuleSet) -> str:
    times = []
    for _ in range(RUNS):
        began = perf_counter()
        adjudicate(case, rules)
        times.append((perf_counter() - began) * 1e6)
    cuts = quantiles(times, n=100)
    return f"{_mean(case, rules):.0f} µs of processor time   p50 {cuts[49]:.0f}   p99 {cuts[98]:.0f} µs by the clock"


def _mean(case: Case, rules: RuleSet) -> float:
    """Return the processor time of one decision, in µs: the best of some rounds."""
    best = float("inf")
    for _ in range(5):
        began = process_time()
        for _ in range(RUNS // 5):
            adjudicate(case, rules)
        best = min(best, (process_time() - began) / (RUNS // 5) * 1e6)
    return best


async def _fill(conn: asyncpg.Connection, rules: RuleSet, case: Case) -> int:
    """Store rules, tariff values, acts and past acts as rows with an index; return how many rules and values."""
    await conn.execute(
        "CREATE TABLE b_rule (key text, valid_from date, row integer, PRIMARY KEY (key, valid_from));"
        "CREATE TABLE b_value (kind text, valid_from date, value numeric, PRIMARY KEY (kind, valid_from));"
        "CREATE TABLE b_act (code text, valid_from date, valid_to date, content json, PRIMARY KEY (code, valid_from));"
        "CREATE TABLE b_past (person_id uuid, code text, on_day date, provider_code text);"
        "CREATE INDEX ON b_past (person_id, code)"
    )
    periods = [(rule.key, period.valid_from, row) for rule in rules.rules for row, period in enumerate(rule.periods)]
    await conn.executemany("INSERT INTO b_rule VALUES ($1, $2, $3)", periods)
    terms = load_tariff()
    values = [("index", one.valid_from, one.value) for one in terms.index]
    values += [("rounding", one.valid_from, one.value) for one in terms.rounding]
    values += [(key, one.valid_from, one.value) for key, found in terms.key_letters.items() for one in found]
    await conn.executemany("INSERT INTO b_value VALUES ($1, $2, $3)", values)
    acts = [
        (act.code, act.valid_from, act.valid_to, json.dumps({"label": act.label("fr")}))
        for act in rules.nomenclature.acts(ON)
    ]
    await conn.executemany("INSERT INTO b_act VALUES ($1, $2, $3, $4)", acts)
    past = [(_PERSON, act.code, act.on, act.provider_code) for act in case.past]
    await conn.executemany("INSERT INTO b_past VALUES ($1, $2, $3, $4)", past)
    await conn.execute("ANALYZE")
    return len(periods) + len(values)


class _Queries:
    """The rules of a line, each fetched when it is asked for."""

    def __init__(self, conn: asyncpg.Connection) -> None:
        self._conn, self.asked = conn, 0

    async def rule(self, rule: Rule) -> Rule:
        """Return a rule with its period of the day only."""
        row = await self._row(
            "SELECT row FROM b_rule WHERE key = $1 AND valid_from <= $2 ORDER BY valid_from DESC LIMIT 1", rule.key
        )
        period: RulePeriod = rule.periods[row["row"]]
        return Rule(key=rule.key, effect=rule.effect, label=rule.label, words=rule.words, periods=(period,))

    async def value(self, kind: str) -> Value:
        """Return a key letter, the index or the rounding of the day."""
        row = await self._row(
            "SELECT valid_from, value FROM b_value WHERE kind = $1 AND valid_from <= $2 ORDER BY valid_from DESC LIMIT 1",
            kind,
        )
        return Value(valid_from=row["valid_from"], value=row["value"], legal_source="", verified=False)

    async def act(self, code: str) -> None:
        """Fetch an act."""
        await self._row(
            "SELECT content FROM b_act WHERE code = $1 AND valid_from <= $2 AND (valid_to IS NULL OR valid_to >= $2)",
            code,
        )

    async def past(self, code: str) -> list[PastAct]:
        """Return the acts with a code billed before."""
        self.asked += 1
        rows = await self._conn.fetch(
            "SELECT code, on_day, provider_code FROM b_past WHERE person_id = $1 AND code = $2", _PERSON, code
        )
        return [PastAct(code=row["code"], on=row["on_day"], provider_code=row["provider_code"]) for row in rows]

    async def _row(self, statement: str, key: str) -> asyncpg.Record:
        self.asked += 1
        return await self._conn.fetchrow(statement, key, ON)


async def _measure_queries(conn: asyncpg.Connection, case: Case, expected: Adjudication) -> tuple[float, int]:
    """Return the median time in ms of a decision with one query for each rule and line, and the number of queries."""
    known, terms = (load_rules(RULES), load_rules(RATES)), load_tariff()
    acts: dict[str, tuple[NomenclatureAct, ...]] = {}
    for line in case.note.lines:
        act = current_rules().nomenclature.act(line.act.code, ON)
        if act is not None:
            acts[act.code] = (act,)
    times, queries = [], _Queries(conn)
    surcharges = tuple(load_surcharges().values())
    for _ in range(QUERY_RUNS):
        queries = _Queries(conn)
        began = perf_counter()
        past: list[PastAct] = []
        for line in case.note.lines:
            await queries.act(line.act.code)
            rules = [await queries.rule(rule) for rule in known[0]]
            rates = [await queries.rule(rule) for rule in known[1]]
            index, rounding = await queries.value("index"), await queries.value("rounding")
            letters = {key: (await queries.value(key),) for key in terms.key_letters}
            past += await queries.past(line.act.code)
        tariff = TariffTerms(key_letters=letters, index=(index,), rounding=(rounding,))
        found = RuleSet(Nomenclature(acts, tariff), rules, rates, surcharges)
        decided = adjudicate(_with_past(case, past), found)
        times.append((perf_counter() - began) * 1e3)
        if decided.lines != expected.lines:
            raise AssertionError("the two decisions differ")
    return quantiles(times, n=2)[0], queries.asked


def _with_past(case: Case, past: list[PastAct]) -> Case:
    return Case(
        note=case.note,
        birth_date=case.birth_date,
        covers=case.covers,
        specialities=case.specialities,
        past=tuple(past),
    )


PARTS = {"adjudication": adjudication}
