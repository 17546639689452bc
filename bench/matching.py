"""The matching of persons: the time of an online match among a million, and the error rate of the weights."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from time import perf_counter, process_time
from uuid import UUID

from bench.bench_world import open_bench_platform
from bench.figures import Figures
from bench.match_population import Population, draw_population
from esante.contract import Platform
from esante.core.journal import Actor
from esante.core.storage import insert
from esante.core.time_zone import today
from esante.identity.directory import Person, catalogue
from esante.identity.directory.matching.batch import Pair, find_pairs
from esante.identity.directory.matching.rules import traits_of
from esante.identity.directory.matching.service import Asked, Matching
from esante.identity.directory.matching.weights import MatchWeights, match_weights
from esante.identity.directory.tables import person_rows

SEED = 20261130
PERSONS, FEW_PERSONS, QUESTIONS = 1_000_000, 100_000, 2_000
SYSTEM = Actor(kind="organization", name="bench")


async def match(data: Path, seconds: float, full: bool) -> Figures:
    """Ask who second entries are of, among a million persons (without `--full`: 100,000); and compare all in batch."""
    population = draw_population(SEED, PERSONS if full else FEW_PERSONS)
    figures: Figures = {"persons": f"{len(population.persons):,}"}
    async with open_bench_platform(data) as platform:
        await _load(platform, population.persons)
        figures |= await _online(platform, population)
    figures |= await asyncio.to_thread(error_rate, population)
    return figures


async def _load(platform: Platform, persons: Sequence[Person]) -> None:
    for start in range(0, len(persons), 5_000):
        rows = [row for person in persons[start : start + 5_000] for row in person_rows(person)]
        async with platform.db.transaction() as conn:
            await insert(conn, rows)
    await platform.db.fetch("ANALYZE person, person_identifier")


async def _online(platform: Platform, population: Population) -> Figures:
    """Ask with the details of a second entry, without its local number, and count what the answer says."""
    matching, random = platform[Matching], Random(SEED)
    known = {person.id: person for person in population.persons}
    times, grades, wrong, found = [], Counter[str](), 0, 0
    pairs = random.sample(sorted(population.duplicates), min(QUESTIONS, len(population.duplicates)))
    began = process_time()
    for first, second in pairs:
        asked = known[second]
        numbers = tuple(one for one in asked.identifiers if one.system == matching.matricule_system)
        traits = traits_of(replace(asked, identifiers=numbers), matching.matricule_system)
        start = perf_counter()
        matches = await matching.match(Asked(traits=traits, identifiers=numbers), actor=SYSTEM)
        times.append((perf_counter() - start) * 1000)
        best = matches[0] if matches else None
        grades[best.agreement.grade if best else "none"] += 1
        found += any(one.person.id in (first, second) for one in matches)
        wrong += sum(one.agreement.grade == "certain" and one.person.id not in (first, second) for one in matches)
    times.sort()
    return {
        "match": f"p50 {times[len(times) // 2]:.1f} ms   p95 {times[int(len(times) * 0.95)]:.1f} ms"
        f"   p99 {times[int(len(times) * 0.99)]:.1f} ms   of {len(times):,} questions one after the other",
        "match: processor time of one": f"{(process_time() - began) / len(times) * 1000:.1f} ms (without the database)",
        "match: the person is among the answers": f"{found:,} of {len(times):,}",
        "match: best grade": "   ".join(f"{grade} {count:,}" for grade, count in grades.most_common()),
        "match: CERTAIN OF ANOTHER PERSON": wrong,
    }


def error_rate(population: Population) -> Figures:
    """Return precision and recall of the pairs found in batch, by the points from which on a pair counts."""
    weights, system = match_weights(today()), matricule_system()
    entries = {person.id: traits_of(person, system) for person in population.persons}
    began = process_time()
    pairs = list(find_pairs(entries, weights))
    figures: Figures = {
        "batch: processor time": f"{process_time() - began:.1f} s for {len(entries):,} entries",
        "batch: duplicates in the population": f"{len(population.duplicates):,}",
    }
    for bits, precision, recall in curve(pairs, population.duplicates, weights):
        figures[f"batch: from {bits:+.0f} points"] = f"precision {precision:.5f}   recall {recall:.5f}"
    certain = [pair for pair in pairs if pair.agreement.grade == "certain"]
    figures["batch: certain"] = f"{len(certain):,}"
    figures["batch: CERTAIN OF TWO PERSONS"] = sum(key_of(pair) not in population.duplicates for pair in certain)
    return figures


def matricule_system() -> str:
    """Return the address of the system of matricules."""
    return catalogue().system("matricule").uri


def key_of(pair: Pair) -> tuple[UUID, UUID]:
    """Return the keys of a pair, the smaller one first."""
    return pair.first, pair.second


def curve(
    pairs: Iterable[Pair], duplicates: frozenset[tuple[UUID, UUID]], weights: MatchWeights
) -> list[tuple[float, float, float]]:
    """Return points, precision and recall, from the points of a possible pair on in steps of 2."""
    found = sorted(((pair.agreement.bits, key_of(pair) in duplicates) for pair in pairs), reverse=True)
    result = []
    for step in range(18):
        least = weights.possible_bits + 2 * step
        kept = [right for bits, right in found if bits >= least]
        if kept:
            result.append((least, sum(kept) / len(kept), sum(kept) / max(1, len(duplicates))))
    return result


PARTS = {"match": match}
