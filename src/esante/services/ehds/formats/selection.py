"""Which facts of a record stand in which section of a document (pure)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from esante.services.ehds.formats.facts import Fact
from esante.services.ehds.formats.kinds import DocumentKind, SectionRule


@dataclass(frozen=True, slots=True)
class SelectedEntry:
    """A line before its sources are known: the fact that is shown, and all facts that say the same."""

    fact: Fact
    equal: tuple[Fact, ...]
    is_absence: bool = False


@dataclass(frozen=True, slots=True)
class Selected:
    """A section with its lines, the latest first; `omitted`: how many were beyond the limit."""

    rule: SectionRule
    entries: tuple[SelectedEntry, ...]
    omitted: int = 0


def select_sections(kind: DocumentKind, facts: Sequence[Fact], today: str) -> tuple[Selected, ...]:
    """Return the sections of a kind that have lines or words of the focus, or that are required.

    Each fact stands in the first section that takes it. `today`: a FHIR date.
    """
    by_type: dict[str, list[Fact]] = {}
    for fact in facts:
        if not fact.is_void:
            by_type.setdefault(fact.type, []).append(fact)
    sections = []
    for rule in kind.sections:
        taken: list[Fact] = []
        for type_ in rule.types:
            left: list[Fact] = []
            for fact in by_type.get(type_, ()):
                (taken if _takes(rule, fact, today) else left).append(fact)
            by_type[type_] = left
        section = _select(rule, taken)
        if section.entries or rule.required or rule.narrative:
            sections.append(section)
    return tuple(sections)


def _takes(rule: SectionRule, fact: Fact, today: str) -> bool:
    if rule.codes and not any(code in rule.codes for _, code in fact.codings):
        return False
    if rule.categories and not rule.categories & fact.category_codes:
        return False
    return not rule.state or fact.is_current(today) == (rule.state == "current")


def _select(rule: SectionRule, facts: Iterable[Fact]) -> Selected:
    """Return the lines of a section. What is known takes the place of a statement that nothing is known."""
    ordered = sorted(facts, key=lambda fact: (fact.date[:10], fact.address), reverse=True)
    real = [fact for fact in ordered if not fact.says_none and not fact.says_unknown]
    if not real:
        absences = _merge(fact for fact in ordered if fact.says_none)[:1]
        return Selected(rule, tuple(SelectedEntry(one.fact, one.equal, True) for one in absences))
    entries = _latest_by_code(real, joined=bool(rule.state)) if rule.latest else _merge(real)
    return Selected(rule, tuple(entries[: rule.limit]), max(0, len(entries) - rule.limit))


def _latest_by_code(facts: Iterable[Fact], *, joined: bool) -> list[SelectedEntry]:
    """Return the latest fact of each code; `facts` are ordered, the latest first.

    `joined`: with the earlier ones of the code as sources. A problem or medicine that goes on is one thing however
    often it is stated; a value that was measured again is not.
    """
    by_code: dict[object, list[Fact]] = {}
    for fact in facts:
        by_code.setdefault(fact.code_key, []).append(fact)
    return [SelectedEntry(group[0], tuple(group if joined else _equal(group))) for group in by_code.values()]


def _equal(group: list[Fact]) -> list[Fact]:
    """Return the first fact and those of its day that say the same."""
    first = group[0]
    same_day = [fact for fact in group if fact.date == first.date]
    return [first, *(fact for fact in same_day[1:] if fact.said == first.said)]


def _merge(facts: Iterable[Fact]) -> list[SelectedEntry]:
    """Return each thing that is said once, with all facts that say it, in their order."""
    by_content: dict[tuple[str, bytes], list[Fact]] = {}
    for fact in facts:
        by_content.setdefault((fact.type, fact.said), []).append(fact)
    return [SelectedEntry(group[0], tuple(group)) for group in by_content.values()]
