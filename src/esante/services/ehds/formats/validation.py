"""The check of a document: R4, the International Patient Summary, and the European guide of its kind.

Every problem is found in one call, each with its place, the rule that it breaks, where that stands, and what to do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date

from esante.core import fhir
from esante.core.fhir import PathFailed
from esante.core.fhir.profiles import UnknownProfile, resolve_profile
from esante.core.types import Json
from esante.services.ehds.formats.guides import (
    IPS_BUNDLE,
    Guide,
    GuideRule,
    GuideRules,
    GuideSection,
    codes_of,
    first_composition,
    guide_rules,
    objects,
    profiles_of,
)

R4 = "FHIR R4"
_ERRORS = ("fatal", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFinding:
    """A problem of a document.

    `place`: a FHIRPath; `rule`: its id, "R4" for those of R4 and IPS; `source`: the guide or standard that demands it,
    with the article of Regulation (EU) 2025/327 that the guide belongs to; `requires`: what is demanded and was found;
    `help`: what to do ("" where `requires` says it); `count`: how many resources it is about.
    """

    severity: str
    place: str
    rule: str
    source: str
    requires: str
    help: str = ""
    code: str = "invariant"
    line: int | None = None
    column: int | None = None
    count: int = 1

    @property
    def is_error(self) -> bool:
        """Whether the document must not be taken in with it."""
        return self.severity in _ERRORS

    @property
    def diagnostics(self) -> str:
        """All that is to be said in one text."""
        return " ".join(part for part in (self.requires, self.help, f"({self.source}: {self.rule})") if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentCheck:
    """The findings of a document, and the guide that it was checked against ("" where none describes its kind)."""

    guide: str
    article: str
    findings: tuple[DocumentFinding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is nothing worse than a warning."""
        return not any(finding.is_error for finding in self.findings)

    def as_json(self) -> Json:
        """Return the check as JSON values."""
        return {"guide": self.guide, "article": self.article, "ok": self.ok, "findings": [*map(asdict, self.findings)]}


def check_document(content: bytes, day: date) -> DocumentCheck:
    """Return all that is wrong with a document by the rules in force on a day; no content makes it raise.

    A resource that is no document is checked as a resource, with a warning.
    """
    rules = guide_rules(day)
    base = fhir.check(content, invariants=True)
    bundle = base.resource if isinstance(base.resource, dict) else {}
    if bundle.get("resourceType") != "Bundle":
        own = [_of_r4(issue, R4) for issue in base.issues if issue.severity != "information"]
        return DocumentCheck(guide="", article="", findings=(*own, *_of_single(bundle, rules)))
    guide = rules.guide_of(bundle)
    issues = base.issues
    if guide is not None and guide.ips:
        issues = fhir.check(content, invariants=True, profile=[IPS_BUNDLE]).issues
    standard = f"{R4} and IPS 2.0.0" if guide is not None and guide.ips else R4
    findings = [_of_r4(issue, standard) for issue in issues if issue.severity != "information"]
    if base.ok or bundle.get("entry"):
        findings += _check_guides(bundle, rules, guide)
    named = ("", "") if guide is None else (guide.standard, guide.article)
    return DocumentCheck(guide=named[0], article=named[1], findings=tuple(findings))


def _of_single(resource: Json, rules: GuideRules) -> Iterator[DocumentFinding]:
    """Yield the findings of a resource that stands alone: that it is no document is one of them."""
    type_ = str(resource.get("resourceType", ""))
    yield DocumentFinding(
        severity="warning",
        place=type_,
        rule="base-document",
        source=_source(rules.base),
        requires=f"A document is a Bundle; this is {type_ or 'something else'}.",
        help="Send a Bundle of type document with a Composition.",
    )
    yield from _check_rules(rules.base, [(type_, resource)])


def _of_r4(issue: fhir.Issue, standard: str) -> DocumentFinding:
    return DocumentFinding(
        severity=issue.severity,
        place=issue.expression,
        rule="R4",
        source=standard,
        requires=issue.diagnostics,
        code=issue.code,
        line=issue.line,
        column=issue.column,
    )


def _check_guides(bundle: Json, rules: GuideRules, guide: Guide | None) -> Iterator[DocumentFinding]:
    resources = [("Bundle", bundle)]
    for number, entry in enumerate(objects(bundle.get("entry"))):
        if isinstance(entry.get("resource"), dict):
            resources.append((f"Bundle.entry[{number}].resource", entry["resource"]))
    for one in (rules.base, guide):
        if one is not None:
            yield from _check_rules(one, resources)
    if guide is not None:
        yield from _check_sections(guide, bundle, next((p for p, r in resources if _is_composition(r)), "Bundle"))
    yield from _name_unknown_profiles(rules, resources)


def _name_unknown_profiles(rules: GuideRules, resources: list[tuple[str, Json]]) -> Iterator[DocumentFinding]:
    """Yield a warning for each profile that resources claim and whose rules are not known here, at the first claim."""
    claims: dict[str, list[str]] = {}
    for place, resource in resources:
        for profile in profiles_of(resource):
            if not _is_known(profile, rules):
                claims.setdefault(profile, []).append(place)
    for profile, places in claims.items():
        more = f" (also {len(places) - 1} others)" if places[1:] else ""
        yield DocumentFinding(
            severity="warning",
            place=places[0],
            rule="profile-unknown",
            source=_source(rules.base),
            requires=f"The resource{more} claims the profile {profile[:200]}, whose rules are not known here.",
            help="Check it with the tools of its makers.",
            code="not-supported",
            count=len(places),
        )


def _is_known(profile: str, rules: GuideRules) -> bool:
    url, _, version = profile.partition("|")
    if any(url.startswith(guide.profile) for guide in rules.guides) and not version:
        return True
    try:
        resolve_profile(profile)
    except UnknownProfile:
        return False
    return True


def _is_composition(resource: Json) -> bool:
    return resource.get("resourceType") == "Composition"


def _check_rules(guide: Guide, resources: list[tuple[str, Json]]) -> Iterator[DocumentFinding]:
    for place, resource in resources:
        for rule in guide.rules:
            if rule.on == resource.get("resourceType") and _claims(resource, rule) and not _is_kept(rule, resource):
                yield DocumentFinding(
                    severity=rule.severity,
                    place=place,
                    rule=rule.id,
                    source=_source(guide),
                    requires=rule.requires,
                    help=rule.help,
                )


def _claims(resource: Json, rule: GuideRule) -> bool:
    wanted = rule.claims.lower()
    return not wanted or any(one.partition("|")[0].lower().endswith(wanted) for one in profiles_of(resource))


def _is_kept(rule: GuideRule, resource: Json) -> bool:
    """Return whether a rule is kept; one that cannot be decided on a broken resource counts as broken."""
    try:
        return rule.fhirpath.test(resource)
    except (PathFailed, TypeError, AttributeError, KeyError, ValueError):
        return False


def _check_sections(guide: Guide, bundle: Json, place: str) -> Iterator[DocumentFinding]:
    sections = objects(first_composition(bundle).get("section"))
    types = _types_by_address(bundle)
    found = [(number, codes_of(section.get("code"))) for number, section in enumerate(sections)]
    for known in guide.sections:
        numbers = [number for number, codes in found if known.code in codes]
        yield from _check_count(guide, known, numbers, place)
        for number in numbers:
            yield from _check_types(guide, known, sections[number], types, f"{place}.section[{number}]")
    for number, section in enumerate(sections):
        yield from _check_section(guide, section, f"{place}.section[{number}]")


def _check_count(guide: Guide, known: GuideSection, numbers: list[int], place: str) -> Iterator[DocumentFinding]:
    if len(numbers) < known.min:
        text = f"The section {known.code} is missing."
        yield _section_finding(
            guide, "section-required", place, text, "Add it, with an emptyReason where it is empty."
        )
    elif len(numbers) > known.max:
        text = f"The section {known.code} is there {len(numbers)} times."
        yield _section_finding(
            guide, "section-repeated", f"{place}.section[{numbers[1]}]", text, "Join them into one."
        )


def _check_types(
    guide: Guide, known: GuideSection, section: Json, types: Mapping[str, str], place: str
) -> Iterator[DocumentFinding]:
    for number, entry in enumerate(objects(section.get("entry"))):
        type_ = types.get(str(entry.get("reference", "")))
        if known.types and type_ is not None and type_ not in known.types:
            text = f"The section {known.code} lists a {type_}; it takes {', '.join(known.types)}."
            yield _section_finding(guide, "section-entry-type", f"{place}.entry[{number}]", text, "Move the entry.")


def _check_section(guide: Guide, section: Json, place: str) -> Iterator[DocumentFinding]:
    if guide.entries and not (section.get("entry") or section.get("emptyReason") or _notes(section)):
        text = "The section has neither entries nor a reason for being empty."
        yield _section_finding(guide, "section-entries", place, text, "Add entry, or emptyReason.")
    if not guide.nested and section.get("section"):
        yield _section_finding(
            guide, "section-nested", place, "A section of this guide has no sections.", "Join them."
        )


def _notes(section: Json) -> bool:
    return any(str(one.get("url", "")).endswith("/note") for one in objects(section.get("extension")))


def _section_finding(guide: Guide, rule: str, place: str, requires: str, remedy: str) -> DocumentFinding:
    return DocumentFinding(
        severity="error",
        place=place,
        rule=f"{guide.name}-{rule}",
        source=_source(guide),
        requires=requires,
        help=remedy,
        code="structure",
    )


def _types_by_address(bundle: Json) -> dict[str, str]:
    types: dict[str, str] = {}
    for entry in objects(bundle.get("entry")):
        resource = entry.get("resource")
        if isinstance(resource, dict) and isinstance(resource.get("resourceType"), str):
            types[str(entry.get("fullUrl"))] = resource["resourceType"]
            types[f"{resource['resourceType']}/{resource.get('id')}"] = resource["resourceType"]
    return types


def _source(guide: Guide) -> str:
    return f"{guide.standard}; Article {guide.article} of Regulation (EU) 2025/327"
