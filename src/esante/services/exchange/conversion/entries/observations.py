"""Observations: vital signs, results, social history, pregnancy, functional status; organizers as their groups."""

from typing import Any

from esante.core.types import Json
from esante.services.exchange.conversion.datatypes import (
    Bounded,
    Coded,
    Concept,
    Ident,
    Link,
    ReadContext,
    Words,
    WriteContext,
)
from esante.services.exchange.conversion.entries.entry import Entry
from esante.services.exchange.conversion.fields import AnyField, Custom, Ext, Field, Group, Times, Value
from esante.services.exchange.conversion.ledger import DERIVABLE, Fate
from esante.services.exchange.conversion.nodes import Node
from esante.services.exchange.conversion.paths import parse
from esante.services.exchange.conversion.people import Roles
from esante.services.exchange.conversion.terms import EHDSI, NARRATIVE_LINK

_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CATEGORIES = {"8716-3": "vital-signs", "30954-2": "laboratory", "29762-2": "social-history"}
"""Categories of the observations of a section."""
STATUS = Coded(
    {
        "completed": "final",
        "active": "preliminary",
        "aborted": "cancelled",
        "cancelled": "cancelled",
        "new": "registered",
        "nullified": "entered-in-error",
    },
    back={"amended": "completed", "corrected": "completed", "cancelled": "cancelled"},
)
TEXT: tuple[AnyField, ...] = (Ext("text/reference", NARRATIVE_LINK, "valueUrl", Link()),)


def _read_range(node: Node, out: Json, place: str, context: ReadContext) -> None:
    value = node.child("value")
    found = Bounded().read_range(value, place, context) if value is not None else None
    if found and value is not None:
        value.take("type", place, Fate.MERGED)
        out.update(found)


def _write_range(source: Json, element: Any, context: WriteContext) -> None:
    if "low" in source or "high" in source:
        made, _ = context.writer.create(element, parse("value:IVL_PQ"))
        if not Bounded().write({"range": source}, "range", made, context):
            element.remove(made)


def finish_observation(resource: Json, node: Node, section: str) -> bool:
    """Give an observation the category of its section; a negated one is none."""
    if node.attributes.get("negationInd") == "true":
        node.lose("negationInd", "an observation that was not made")
        return False
    resource.setdefault("code", {"extension": [UNKNOWN]})
    if section in CATEGORIES:
        resource["category"] = [{"coding": [{"system": _CATEGORY, "code": CATEGORIES[section]}]}]
    for component in resource.get("component", ()):
        component.setdefault("code", {"extension": [UNKNOWN]})
    return True


UNKNOWN = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}


_RANGE = Group(
    "referenceRange/observationRange",
    "referenceRange",
    (Custom(_read_range, _write_range), Field("text", "text", Words())),
)
_CORE: tuple[AnyField, ...] = (
    Field("code", "code", Concept()),
    Value(),
    Field("interpretationCode", "interpretation", Concept(), many=True),
    _RANGE,
)
_ALL: tuple[AnyField, ...] = (
    Field("id", "identifier", Ident(), many=True),
    *_CORE,
    *TEXT,
    Field("statusCode", "status", STATUS),
    Times("effectiveTime", "effective"),
    Field("methodCode", "method", Concept()),
    Field("targetSiteCode", "bodySite", Concept()),
    Roles("performer/assignedEntity", "performer"),
)


def _write_components(source: Json, element: Any, context: WriteContext) -> None:
    for component in source.get("component", ()):
        made, _ = context.writer.create(element, parse("entryRelationship[COMP]/observation"), fresh=2)
        for field in _CORE:
            field.write(component, made, context)


def _read_components(node: Node, out: Json, place: str, context: ReadContext) -> None:
    group = Group("entryRelationship[COMP|REFR]/observation", "component", _CORE)
    group.read(node, out, place, context)


OBSERVATION = Entry(
    kind="Observation",
    element="observation",
    fields=(*_ALL, Custom(_read_components, _write_components)),
    defaults={"status": "unknown"},
    templates=((f"{EHDSI}.3.22",), ()),
    finish=finish_observation,
)


def _read_members(node: Node, out: Json, place: str, context: ReadContext) -> None:
    for component in node.all("component"):
        for child in component.children:
            if child.name == "observation":
                section = getattr(context, "section", "")
                for resource in OBSERVATION.read(child, section, context):
                    out.setdefault("hasMember", []).append({"reference": context.add(resource)})


def _write_members(source: Json, element: Any, context: WriteContext) -> None:
    for holder in source.get("hasMember", ()):
        made, _ = context.writer.create(element, parse("component"))
        member = context.resolve(holder, made)
        if member is None or member["resourceType"] != "Observation" or not OBSERVATION.write(member, made, context):
            element.remove(made)
    for component in source.get("component", ()):
        made, _ = context.writer.create(element, parse("component/observation"), fresh=2)
        for field in _CORE:
            field.write(component, made, context)


def _finish_panel(resource: Json, node: Node, section: str) -> bool:
    resource.setdefault("code", {"extension": [UNKNOWN]})
    if section in CATEGORIES:
        resource["category"] = [{"coding": [{"system": _CATEGORY, "code": CATEGORIES[section]}]}]
    return True


PANEL = Entry(
    kind="Observation",
    element="organizer",
    fields=(
        Field("id", "identifier", Ident(), many=True),
        Field("code", "code", Concept()),
        Field("statusCode", "status", STATUS),
        Times("effectiveTime", "effective"),
        Custom(_read_members, _write_members),
    ),
    defaults={"status": "unknown"},
    templates=((f"{EHDSI}.3.21",), ()),
    finish=_finish_panel,
)


def mark_category(resource: Json, section: str, context: WriteContext) -> None:
    """Mark the category of a resource that follows from its section."""
    for concept in resource.get("category", ()):
        for coding in concept.get("coding", ()) if isinstance(concept, dict) else ():
            if coding.get("code") == CATEGORIES.get(section):
                context.ledger.mark_all(coding, Fate.DROPPED, "", DERIVABLE)
