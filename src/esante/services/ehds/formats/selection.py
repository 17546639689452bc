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
    """Return the sections of a kind that have lines, or that are required.

    Each fact stands in the first section that takes it. `today`: a FHIR date.
    """
    placed: set[str] = set()
    sections = []
    for rule in kind.sections:
        taken = [fact for fact in facts if fact.address not in placed and _takes(rule, fact, today)]
        placed |= {fact.address for fact in taken}
        section = _select(rule, taken)
        if section.entries or rule.required:
            sections.append(section)
    return tuple(sections)


def _takes(rule: SectionRule, fact: Fact, today: str) -> bool:
    if fact.type not in rule.types or fact.is_void:
        return False
    if rule.codes and not any(code in rule.codes for _, code in fact.codings):
        return False
    if rule.categories and not rule.categories & fact.category_codes:
        return False
    return not rule.state or fact.is_current(today) == (rule.state == "current")


def _select(rule: SectionRule, facts: Iterable[Fact]) -> Selected:
    """Return the lines of a section. What is known takes the place of a statement that nothing is known."""
    ordered = sorted(facts, key=lambda fact: (fact.date[:10], fact.address), reverse=True)
    real = [fact for fact in ordered if not fact.says_none and not fact.says_unknown]
    entries = (
        _merge(real) if real else [SelectedEntry(one.fact, one.equal, True) for one in _merge(_absences(ordered))][:1]
    )
    if rule.latest:
        by_code: dict[object, SelectedEntry] = {}
        for one in entries:
            by_code.setdefault(one.fact.code_key, one)
        entries = list(by_code.values())
    return Selected(rule, tuple(entries[: rule.limit]), max(0, len(entries) - rule.limit))


def _absences(facts: Iterable[Fact]) -> list[Fact]:
    return [fact for fact in facts if fact.says_none]


def _merge(facts: Iterable[Fact]) -> list[SelectedEntry]:
    """Return each thing that is said once, with all facts that say it, in their order."""
    by_content: dict[tuple[str, bytes], list[Fact]] = {}
    for fact in facts:
        by_content.setdefault((fact.type, fact.said), []).append(fact)
    return [SelectedEntry(group[0], tuple(group)) for group in by_content.values()]
