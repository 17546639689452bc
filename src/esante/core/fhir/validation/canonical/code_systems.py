"""Rules of CodeSystem: content, count, supplements, properties.

Source: FHIR R4, CodeSystem (section 4.8, definitions of the elements); Concept Properties.
"""

from collections.abc import Iterator

from esante.core.fhir.definitions import terminology
from esante.core.fhir.model import ElementPath, Finding
from esante.core.types import Json

_STANDARD = "http://hl7.org/fhir/concept-properties"
#: The types of the standard properties.
STANDARD_TYPES = {
    "inactive": "boolean",
    "deprecated": "dateTime",
    "notSelectable": "boolean",
    "parent": "code",
    "child": "code",
}


def check_code_system(resource: Json, path: ElementPath) -> Iterator[Finding]:
    """Yield a finding for every rule that a CodeSystem breaks."""
    concepts = list(_concepts(resource.get("concept", ()), (*path, "concept")))
    yield from _check_content(resource, len(concepts), path)
    yield from _check_properties(resource, path)
    declared = {each.get("code"): each.get("type") for each in resource.get("property", ())}
    for concept, where in concepts:
        for index, each in enumerate(concept.get("property", ())):
            yield from _check_value(each, declared, (*where, "property", index))


def _concepts(concepts: list[Json], path: ElementPath) -> Iterator[tuple[Json, ElementPath]]:
    pending = [(each, (*path, index)) for index, each in enumerate(concepts)]
    while pending:
        concept, where = pending.pop()
        yield concept, where
        pending += [(each, (*where, "concept", index)) for index, each in enumerate(concept.get("concept", ()))]


def _check_content(resource: Json, concepts: int, path: ElementPath) -> Iterator[Finding]:
    content, count = resource.get("content"), resource.get("count")
    if "supplements" in resource and content != "supplement":
        yield _error(
            (*path, "content"), f"A code system that supplements another has the content supplement, not {content}."
        )
    if content == "supplement" and "supplements" not in resource:
        yield _error((*path, "supplements"), "The content is supplement. Name the code system that it supplements.")
    if content == "not-present" and concepts:
        yield _error((*path, "concept"), "The content is not-present, and there are concepts. Correct the content.")
    if not isinstance(count, int) or resource.get("compositional"):
        return
    if concepts > count or (content == "complete" and concepts < count):
        text = f"The count is {count:,}; the code system has {concepts:,} concepts. Correct one of them."
        yield _error((*path, "count"), text)


def _check_properties(resource: Json, path: ElementPath) -> Iterator[Finding]:
    """Check that codes of properties are distinct, and the types of those that are a standard property by address."""
    known: set[object] = set()
    for index, each in enumerate(resource.get("property", ())):
        where, code, uri = (*path, "property", index), each.get("code"), each.get("uri")
        if code in known:
            yield _error((*where, "code"), f"Another property has the code {code} already. Give it another one.")
        known.add(code)
        system, _, name = str(uri).partition("#")
        type_ = STANDARD_TYPES.get(name) if system == _STANDARD else None
        if type_ is None:
            continue
        if each.get("type") != type_:
            yield _error((*where, "type"), f"By its address the property is {name}, which has the type {type_}.")
        if uri in known:
            yield _error((*where, "uri"), f"Another property has the address {uri} already. Keep one of them.")
        known.add(uri)


def _check_value(value: Json, declared: dict[object, object], path: ElementPath) -> Iterator[Finding]:
    """Check the type of the value of a property of a concept."""
    name = value.get("code")
    type_ = declared.get(name, STANDARD_TYPES.get(str(name)))
    given = next((key.removeprefix("value") for key in value if key.startswith("value")), None)
    if type_ is not None and given is not None and given.lower() != str(type_).lower():
        yield _error(path, f"The property {name} has the type {type_}; this value has the type {given}.")


def property_type(system: str, name: str) -> str | None:
    """Return the type of a property of a code system of R4, or of a standard property; None where it is not known."""
    known = terminology().code_systems.get(system)
    return (known.properties.get(name) if known else None) or STANDARD_TYPES.get(name)


def _error(path: ElementPath, text: str) -> Finding:
    return Finding("error", "business-rule", path, text)
