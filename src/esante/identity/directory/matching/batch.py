"""Pairs of entries that may be of one person, found in batch by `splink` over DuckDB with the dated weights.

`splink` proposes the pairs; how sure each is says `rules.compare`, as it does online. `splink` and DuckDB are imported
where they are used: only the command that looks for duplicates needs them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from esante.identity.directory.matching.model import Agreement, Traits
from esante.identity.directory.matching.rules import SHORTEST_SIMILAR, compare
from esante.identity.directory.matching.weights import MatchWeights

_COLUMNS = ("unique_id", "matricule", "family", "given", "birth", "sex", "street", "postal_code")
_EMPTY = "{0}_l IS NULL OR {0}_r IS NULL"
_EQUAL = "{0}_l = {0}_r"
# DuckDB measures in bytes: the letters of another alphabet have two to four, and then a wider bound proposes the pair.
_EDITS = (
    "damerau_levenshtein({0}, {1})"
    " <= CASE WHEN strlen({0}) = length({0}) AND strlen({1}) = length({1}) THEN 1 ELSE 8 END"
)
_WORDS = "string_split({0}, ' ')"
_FIRST = "split_part({0}, ' ', 1)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two entries that may be of one person; `first` is the smaller key."""

    first: UUID
    second: UUID
    agreement: Agreement


def find_pairs(entries: Mapping[UUID, Traits], weights: MatchWeights) -> Iterator[Pair]:
    """Yield the pairs of entries that are at least possible, each once.

    Compared are entries of one day of birth, and of one family name and first given name.
    """
    for first, second, _ in propose_pairs(entries, weights):
        agreement = compare(entries[first], entries[second], weights)
        if agreement.bits >= weights.possible_bits:
            yield Pair(first=first, second=second, agreement=agreement)


def propose_pairs(entries: Mapping[UUID, Traits], weights: MatchWeights) -> list[tuple[UUID, UUID, float]]:
    """Return the pairs that `splink` finds from `possible_bits` on, with its weight in bits; smaller keys first."""
    import duckdb
    import pyarrow
    from splink import DuckDBAPI, Linker

    if len(entries) < 2:
        return []
    columns = zip(*(_row(key, traits) for key, traits in entries.items()), strict=True)
    table = pyarrow.table(
        dict(zip(_COLUMNS, (pyarrow.array(column, pyarrow.string()) for column in columns), strict=True))
    )
    with duckdb.connect() as connection:
        api = DuckDBAPI(connection)
        linker = Linker(api.register(table), _settings(weights), log_level="ERROR")
        found = linker.inference.predict(threshold_match_weight=weights.possible_bits, warning_mode="never")
        rows = connection.table(found.physical_name).project("unique_id_l, unique_id_r, match_weight").fetchall()
    pairs = {}
    for one, other, bits in rows:
        first, second = sorted((UUID(one), UUID(other)))
        pairs[first, second] = bits
    return [(*pair, bits) for pair, bits in sorted(pairs.items())]


def _row(key: UUID, traits: Traits) -> tuple[str | None, ...]:
    day = traits.birth_date
    texts = (
        traits.matricule,
        traits.family,
        traits.given,
        f"{day.year:04}{day.month:02}{day.day:02}" if day else "",
        traits.sex,
        traits.street,
        traits.postal_code,
    )
    return str(key), *(text or None for text in texts)


def _settings(weights: MatchWeights) -> Any:
    from splink import SettingsCreator, block_on

    odds = 2.0**weights.prior_bits
    return SettingsCreator(
        link_type="dedupe_only",
        probability_two_random_records_match=odds / (1.0 + odds),
        blocking_rules_to_generate_predictions=[block_on("birth"), block_on("family", _FIRST.format("given"))],
        comparisons=[_comparison(trait, empty, levels, weights) for trait, empty, levels in _conditions()],
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=False,
    )


def _comparison(trait: str, empty: str, levels: Sequence[tuple[str, str]], weights: MatchWeights) -> dict[str, Any]:
    known = weights.levels[trait]
    found: list[dict[str, Any]] = [{"sql_condition": empty, "label_for_charts": "absent", "is_null_level": True}]
    for name, condition in (*levels, ("different", "ELSE")):
        level = known[name]
        found.append(
            {
                "sql_condition": condition,
                "label_for_charts": name,
                "m_probability": level.m,
                "u_probability": level.u,
                "fix_m_probability": True,
                "fix_u_probability": True,
            }
        )
    return {"output_column_name": trait, "comparison_levels": found}


def _conditions() -> Iterable[tuple[str, str, Sequence[tuple[str, str]]]]:
    """Yield for each trait when it is absent, and the conditions of its levels but the last, as `rules` has them.

    Two entries never share an identifier, so that trait is not compared.
    """
    yield (
        "matricule",
        f"{_EMPTY.format('matricule')} OR length(matricule_l) <> length(matricule_r)",
        [("same", _EQUAL.format("matricule")), ("similar", _edits("matricule_l", "matricule_r"))],
    )
    words_l, words_r = _WORDS.format("family_l"), _WORDS.format("family_r")
    yield (
        "family",
        _EMPTY.format("family"),
        [
            ("same", _EQUAL.format("family")),
            ("contained", f"list_has_all({words_l}, {words_r}) OR list_has_all({words_r}, {words_l})"),
            ("similar", _similar("family_l", "family_r")),
        ],
    )
    first_l, first_r = _FIRST.format("given_l"), _FIRST.format("given_r")
    given_l, given_r = _WORDS.format("given_l"), _WORDS.format("given_r")
    initial = f"(length({first_l}) = 1 OR length({first_r}) = 1) AND left({first_l}, 1) = left({first_r}, 1)"
    yield (
        "given",
        _EMPTY.format("given"),
        [
            ("same", _EQUAL.format("given")),
            ("first", f"{first_l} = {first_r}"),
            ("contained", f"list_contains({given_r}, {first_l}) OR list_contains({given_l}, {first_r})"),
            ("initial", initial),
            ("similar", _similar(first_l, first_r)),
        ],
    )
    swapped = (
        "left(birth_l, 4) = left(birth_r, 4)"
        " AND substr(birth_l, 5, 2) = substr(birth_r, 7, 2) AND substr(birth_l, 7, 2) = substr(birth_r, 5, 2)"
    )
    yield (
        "birth_date",
        _EMPTY.format("birth"),
        [("same", _EQUAL.format("birth")), ("near", f"({swapped}) OR {_edits('birth_l', 'birth_r')}")],
    )
    yield "sex", _EMPTY.format("sex"), [("same", _EQUAL.format("sex"))]
    same_place = f"{_EQUAL.format('postal_code')} AND {_EQUAL.format('street')}"
    yield (
        "address",
        _EMPTY.format("postal_code"),
        [("same", same_place), ("postal_code", _EQUAL.format("postal_code"))],
    )


def _edits(one: str, other: str) -> str:
    return _EDITS.format(one, other)


def _similar(one: str, other: str) -> str:
    return f"least(length({one}), length({other})) >= {SHORTEST_SIMILAR} AND {_edits(one, other)}"
