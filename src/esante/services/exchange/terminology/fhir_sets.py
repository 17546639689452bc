"""CodeSystem, ValueSet and ConceptMap of FHIR R4 (JSON), alone or in a Bundle."""

from collections.abc import Iterator, Mapping
from typing import Any

from esante.core.types import Json
from esante.services.exchange.terminology.builder import CatalogueBuilder
from esante.services.exchange.terminology.dates import day_of
from esante.services.exchange.terminology.model import Code, ValueSet
from esante.services.exchange.terminology.systems import oid_of

MOST_LEVELS = 50
"""Levels of a hierarchy of concepts."""
_SAME = {"equivalent", "equal", "wider", "subsumes", "relatedto", "inexact", "narrower", "specializes"}
"""Equivalences that transcode; the others (unmatched, disjoint) say that there is no target."""


def read_fhir(resource: Any, place: str, builder: CatalogueBuilder) -> None:
    """Take a resource; others than the three kinds are a fault."""
    kind = resource.get("resourceType") if isinstance(resource, Mapping) else None
    if kind == "Bundle":
        for index, entry in enumerate(resource.get("entry") or ()):
            read_fhir(entry.get("resource"), f"{place}: Bundle.entry[{index}].resource", builder)
        return
    readers = {"CodeSystem": _code_system, "ValueSet": _value_set, "ConceptMap": _concept_map}
    if kind not in readers:
        remedy = "Put files of CodeSystem, ValueSet and ConceptMap into the folder"
        builder.fault(f"a resource of the type {kind} is no part of a catalogue", place, remedy)
        return
    try:
        readers[kind](resource, place, builder)
    except (AttributeError, KeyError, TypeError) as error:
        remedy = "Check it with esante fhir validate"
        builder.fault(f"the {kind} has not the structure of FHIR ({type(error).__name__}: {error})", place, remedy)
        return
    builder.dated(day_of(resource.get("date", "")))


def _oid(resource: Json) -> str:
    """Return the OID among the identifiers of a resource, else that of its URL, else its URL."""
    for identifier in resource.get("identifier") or ():
        if str(identifier.get("value", "")).startswith("urn:oid:"):
            return str(identifier["value"])[8:]
    return oid_of(str(resource["url"]))


def _code_system(resource: Json, place: str, builder: CatalogueBuilder) -> None:
    system = _oid(resource)
    builder.add_version(system, str(resource.get("version", "")))
    language = str(resource.get("language", "en"))
    for concept, where in _concepts(resource.get("concept") or (), f"{place}: CodeSystem"):
        _take(builder, (system, concept["code"]), concept, language, where, own=True)


def _concepts(concepts: Any, path: str, level: int = 0) -> Iterator[tuple[Json, str]]:
    if level > MOST_LEVELS:
        return
    for index, concept in enumerate(concepts):
        where = f"{path}.concept[{index}]"
        yield concept, where
        if concept.get("concept"):
            yield from _concepts(concept["concept"], where, level + 1)


def _take(builder: CatalogueBuilder, code: Code, concept: Json, language: str, place: str, *, own: bool) -> None:
    builder.add_concept(code)
    designations = concept.get("designation") or ()
    if concept.get("display"):
        preferred = own and not any(one.get("language") == language for one in designations)
        builder.add_designation(code, language, concept["display"], place, preferred=preferred, own=own)
    for designation in designations:
        use = (designation.get("use") or {}).get("code", "")
        if use in ("900000000000013009", "synonym"):  # SNOMED CT: a synonym beside the preferred term
            continue
        preferred = use in ("preferredForLanguage", "preferred", "display", "900000000000548007")
        tag = str(designation.get("language") or language)
        builder.add_designation(code, tag, designation["value"], place, preferred=preferred)


def _value_set(resource: Json, place: str, builder: CatalogueBuilder) -> None:
    codes: set[Code] = set()
    language = str(resource.get("language", "en"))
    for index, include in enumerate((resource.get("compose") or {}).get("include") or ()):
        where = f"{place}: ValueSet.compose.include[{index}]"
        if not include.get("concept"):
            if not resource.get("expansion"):
                builder.fault("the codes are computed, not listed", where, "Use a ValueSet with its expansion")
            continue
        system = oid_of(str(include["system"]))
        builder.add_version(system, str(include.get("version", "")))
        for number, concept in enumerate(include["concept"]):
            code = (system, concept["code"])
            codes.add(code)
            _take(builder, code, concept, language, f"{where}.concept[{number}]", own=False)
    for concept, where in _contained((resource.get("expansion") or {}).get("contains") or (), f"{place}: ValueSet"):
        code = (oid_of(str(concept["system"])), concept["code"])
        codes.add(code)
        _take(builder, code, concept, language, where, own=False)
    version = str(resource.get("version", ""))
    name = str(resource.get("title") or resource.get("name") or resource["url"])
    builder.add_value_set(ValueSet(_oid(resource), name, version, frozenset(codes)), place)


def _contained(contains: Any, path: str, level: int = 0) -> Iterator[tuple[Json, str]]:
    if level > MOST_LEVELS:
        return
    for index, concept in enumerate(contains):
        where = f"{path}.contains[{index}]"
        if "code" in concept:
            yield concept, where
        yield from _contained(concept.get("contains") or (), where, level + 1)


def _concept_map(resource: Json, place: str, builder: CatalogueBuilder) -> None:
    for index, group in enumerate(resource.get("group") or ()):
        source, target = oid_of(str(group["source"])), oid_of(str(group["target"]))
        for number, element in enumerate(group.get("element") or ()):
            where = f"{place}: ConceptMap.group[{index}].element[{number}]"
            code = (source, element["code"])
            builder.add_concept(code)
            if element.get("display"):
                builder.add_designation(code, "en", element["display"], where, own=False)
            for mapped in element.get("target") or ():
                if mapped.get("code") and mapped.get("equivalence", "relatedto") in _SAME:
                    pivot = (target, mapped["code"])
                    builder.add_concept(pivot)
                    builder.add_mapping(code, pivot, where)
                    if mapped.get("display"):
                        builder.add_designation(pivot, "en", mapped["display"], where, own=False)
