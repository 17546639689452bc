"""Tables of resources, one row type per kind."""

from collections.abc import Callable, Iterable
from typing import Any

from esante.core.fhir.view import text
from esante.core.fhir.view.model import (
    Allergy,
    Condition,
    Detail,
    Immunisation,
    Medication,
    Observation,
    Other,
    Procedure,
    Reaction,
    ResourceTable,
    TableKind,
    TableRow,
    When,
)
from esante.core.fhir.view.reference_library import ReferenceLibrary
from esante.core.types import Json

_PANEL_DEPTH = 6


def build_tables(
    resources: Iterable[Json], library: ReferenceLibrary, *, only_new: bool = False
) -> tuple[ResourceTable, ...]:
    """Return the resources as tables, one per kind, in the order in which the kinds first occur.

    A DiagnosticReport and a List are followed by what they list; panels have their members in their row. A resource is
    in the tables of one call only once, and with `only_new` only if it was not shown before.
    """
    rows: dict[TableKind, list[TableRow]] = {}
    for resource in _with_listed(resources, library, library.shown_ids() if only_new else set()):
        library.mark_shown(resource)
        if resource.get("modifierExtension"):
            library.omitted[f"modifierExtension of {text.string(resource.get('resourceType'))}"] += 1
        kind, build = _BUILDERS.get(text.string(resource.get("resourceType")), ("others", _other))
        rows.setdefault(kind, []).append(build(resource, library))
    return tuple(ResourceTable(kind, tuple(listed)) for kind, listed in rows.items())


def _with_listed(resources: Iterable[Json], library: ReferenceLibrary, visited_ids: set[int]) -> list[Json]:
    """Return the resources and what reports and lists list, without members of panels."""
    found: list[Json] = []
    pending = list(resources)[::-1]
    while pending:
        resource = pending.pop()
        if id(resource) in visited_ids:
            continue
        visited_ids.add(id(resource))
        found.append(resource)
        match resource.get("resourceType"):
            case "DiagnosticReport":
                pending.extend(list(library.find_all(resource.get("result"), resource))[::-1])
            case "List":
                entries = [e.get("item") for e in text.items(resource.get("entry")) if isinstance(e, dict)]
                pending.extend(list(library.find_all(entries, resource))[::-1])
    members = {id(m) for r in found if "hasMember" in r for m in library.find_all(r["hasMember"], r) if r is not m}
    return [resource for resource in found if id(resource) not in members or _contains_itself(resource, library)]


def _contains_itself(resource: Json, library: ReferenceLibrary) -> bool:
    """Return whether a panel is its own member, directly or through others; it then gets a row of its own."""
    pending, visited = [resource], set[int]()
    while pending:
        for member in library.find_all(pending.pop().get("hasMember")):
            if member is resource:
                return True
            if id(member) not in visited:
                visited.add(id(member))
                pending.append(member)
    return False


def _observation(resource: Json, library: ReferenceLibrary, ancestors: tuple[int, ...] = ()) -> Observation:
    name = text.concept(resource.get("code")) or "?"
    value, unit = _value(resource)
    limits = _limits(resource.get("referenceRange"))
    flags = resource.get("interpretation")
    members = [_observation(c, library) for c in text.items(resource.get("component")) if isinstance(c, dict)]
    if resource.get("hasMember"):
        here = (*ancestors, id(resource))
        for member in library.find_all(resource["hasMember"], resource):
            if id(member) in here or len(here) > _PANEL_DEPTH:
                library.omitted["member of a panel that holds itself or is nested too deeply"] += 1
            elif member.get("resourceType") in ("Observation", ""):
                members.append(_observation(member, library, here))
            else:
                members.append(
                    Observation(name=_other(member, library).name, status=text.string(member.get("status")))
                )
    shown = (
        "code",
        "value",
        "referenceRange",
        "interpretation",
        "component",
        "hasMember",
        "status",
        "effective",
    )
    return Observation(
        name=name,
        status=text.string(resource.get("status")),
        when=text.when(*text.choice_value(resource, "effective")),
        details=_details(resource, (*shown, "dataAbsentReason", "issued"), library),
        value=value,
        unit=unit,
        low=limits[0],
        high=limits[1],
        range_text=limits[2],
        flag=text.code(flags),
        flag_text=text.concept(flags),
        absent_reason=text.concept(resource.get("dataAbsentReason")),
        members=tuple(members),
    )


def _value(resource: Json) -> tuple[str, str]:
    kind, value = text.choice_value(resource, "value")
    if kind == "Quantity":
        return text.quantity(value)
    if kind == "Ratio" and isinstance(value, dict):
        return f"{text.amount(value.get('numerator'))} / {text.amount(value.get('denominator'))}", ""
    return text.describe(value), ""


def _limits(ranges: Any) -> tuple[str, str, str]:
    """Return low and high of a single range; several ranges (by age, by sex) are all given as text."""
    listed = [r for r in text.items(ranges) if isinstance(r, dict)]
    if len(listed) == 1:
        only = listed[0]
        return text.amount(only.get("low")), text.amount(only.get("high")), _range_words(only)
    words = []
    for each in listed:
        span = " - ".join([text.amount(each.get("low")), text.amount(each.get("high"))])
        words.append(" ".join(part for part in (_range_words(each), span if span != " - " else "") if part))
    return "", "", text.join_distinct(words)


def _range_words(each: Json) -> str:
    parts = [
        text.string(each.get("text")),
        text.concept(each.get("type")),
        text.concept(each.get("appliesTo")),
    ]
    return text.join_distinct([*parts, text.describe(each.get("age"))])


def _medication(resource: Json, library: ReferenceLibrary) -> Medication:
    kind, value = text.choice_value(resource, "medication")
    found = library.find(value, resource) if kind == "Reference" else None
    name = text.concept(found.get("code")) if found else ""
    given = ("effective", "whenHandedOver", "occurrence", "authoredOn", "dateAsserted")
    moments = [
        text.when(*text.choice_value(resource, "effective")),
        *(When(text.string(resource.get(k))) for k in given[1:]),
    ]
    doses = [resource.get("dosage"), resource.get("dosageInstruction")]
    shown = ("medication", "status", "effective", "whenHandedOver", "authoredOn", "dateAsserted", "dosage")
    return Medication(
        name=name or text.describe(value) or text.concept(resource.get("code")) or "?",
        status=text.string(resource.get("status")),
        when=next((moment for moment in moments if moment), When()),
        details=_details(resource, (*shown, "dosageInstruction", "reasonCode"), library),
        dosage=text.join_distinct(_dose(dose) for dose in doses),
        reason=text.concept(resource.get("reasonCode")),
    )


def _dose(value: Any) -> str:
    """Return the text of Dosage, or of MedicationAdministration.dosage, which is one object with a dose of its own."""
    if isinstance(value, dict) and "dose" in value:
        parts = [text.string(value.get("text")), text.amount(value["dose"]), text.concept(value.get("route"))]
        return text.join_distinct(parts)
    return text.dosage(value)


def _allergy(resource: Json, library: ReferenceLibrary) -> Allergy:
    reactions = [r for r in text.items(resource.get("reaction")) if isinstance(r, dict)]
    listed = tuple(_reaction(r) for r in reactions)
    substances = text.join_distinct(text.concept(r.get("substance")) for r in reactions)
    shown = ("code", "clinicalStatus", "verificationStatus", "onset", "criticality", "reaction")
    return Allergy(
        name=text.concept(resource.get("code")) or substances or "?",
        status=text.code(resource.get("clinicalStatus")),
        when=text.when(*text.choice_value(resource, "onset")),
        details=_details(resource, shown, library),
        verification=text.code(resource.get("verificationStatus")),
        criticality=text.string(resource.get("criticality")),
        reactions=text.join_distinct(f"{r.text} ({r.severity})" if r.severity else r.text for r in listed),
        reaction_list=listed,
    )


def _reaction(reaction: Json) -> Reaction:
    words = text.concept(reaction.get("manifestation")) or text.string(reaction.get("description"))
    return Reaction(words, text.string(reaction.get("severity")))


def _condition(resource: Json, library: ReferenceLibrary) -> Condition:
    onset = text.when(*text.choice_value(resource, "onset"))
    abated = text.when(*text.choice_value(resource, "abatement"))
    shown = ("code", "clinicalStatus", "verificationStatus", "onset", "abatement", "severity")
    return Condition(
        name=text.concept(resource.get("code")) or "?",
        status=text.code(resource.get("clinicalStatus")),
        when=When(onset.start, onset.end or abated.start, text.join_distinct([onset.text, abated.text])),
        details=_details(resource, shown, library),
        verification=text.code(resource.get("verificationStatus")),
        severity=text.concept(resource.get("severity")),
    )


def _immunisation(resource: Json, library: ReferenceLibrary) -> Immunisation:
    protocols = [p for p in text.items(resource.get("protocolApplied")) if isinstance(p, dict)]
    doses = [text.string(text.choice_value(p, "doseNumber")[1]) for p in protocols]
    shown = ("vaccineCode", "status", "occurrence", "lotNumber", "protocolApplied")
    return Immunisation(
        name=text.concept(resource.get("vaccineCode")) or text.concept(resource.get("code")) or "?",
        status=text.string(resource.get("status")),
        when=text.when(*text.choice_value(resource, "occurrence")),
        details=_details(resource, shown, library),
        dose=text.join_distinct(doses),
        lot=text.string(resource.get("lotNumber")),
        diseases=text.join_distinct(text.concept(p.get("targetDisease")) for p in protocols),
    )


def _procedure(resource: Json, library: ReferenceLibrary) -> Procedure:
    return Procedure(
        name=text.concept(resource.get("code")) or "?",
        status=text.string(resource.get("status")),
        when=text.when(*text.choice_value(resource, "performed")),
        details=_details(resource, ("code", "status", "performed", "reasonCode", "outcome"), library),
        reason=text.concept(resource.get("reasonCode")),
        outcome=text.concept(resource.get("outcome")),
    )


def _other(resource: Json, library: ReferenceLibrary) -> Other:
    kind = text.string(resource.get("resourceType"))
    candidates = ("code", "title", "name", "deviceName", "description", "type")
    names = ((key, text.person_name(resource.get(key)) or text.describe(resource.get(key))) for key in candidates)
    name_element, name = next(((key, words) for key, words in names if words), ("", kind or "?"))
    stems = ("effective", "occurrence", "performed", "timing")
    dates = ("date", "created", "authoredOn", "recorded", "issued")
    moments = [(stem, text.when(*text.choice_value(resource, stem))) for stem in stems]
    moments += [(key, When(text.string(resource.get(key)))) for key in dates]
    time_element, moment = next(((key, moment) for key, moment in moments if moment), ("", When()))
    # The results of a report are rows of their own.
    shown = ("status", name_element, time_element, *(("result",) if kind == "DiagnosticReport" else ()))
    return Other(
        name=name,
        status=text.string(resource.get("status")),
        when=moment,
        details=_details(resource, tuple(key for key in shown if key), library),
        type=kind,
    )


def _details(resource: Json, shown: tuple[str, ...], library: ReferenceLibrary) -> tuple[Detail, ...]:
    """Return the elements for which the row has no column."""
    rest = text.remaining_elements(resource, shown).items()
    return tuple(each for key, value in rest for each in text.detail(key, library.with_names(value, resource)))


_BUILDERS: dict[str, tuple[TableKind, Callable[[Json, ReferenceLibrary], TableRow]]] = {
    "Observation": ("observations", _observation),
    "MedicationStatement": ("medications", _medication),
    "MedicationRequest": ("medications", _medication),
    "MedicationDispense": ("medications", _medication),
    "MedicationAdministration": ("medications", _medication),
    "AllergyIntolerance": ("allergies", _allergy),
    "Condition": ("conditions", _condition),
    "Immunization": ("immunisations", _immunisation),
    "Procedure": ("procedures", _procedure),
}
