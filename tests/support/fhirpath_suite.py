"""The official FHIRPath tests for R4: parsing, execution and comparison."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from lxml import etree

from esante.core.fhir import decode
from esante.core.fhir.definitions import Element, load_definitions
from esante.core.fhir.fhirpath import PathError, Quantity, Temporal, compile_path
from esante.core.fhir.primitives import PRIMITIVES
from esante.core.types import Json

FHIR = "{http://hl7.org/fhir}"
#: Nothing is fetched, no entity is expanded, whatever the files say.
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


class Case(NamedTuple):
    """One test.

    The outputs are pairs of type (None: any) and text. An `invalid` expression has to fail. With `predicate` only the
    existence of a result counts.
    """

    name: str
    input: str | None
    expression: str
    outputs: tuple[tuple[str | None, str], ...]
    invalid: bool
    predicate: bool
    ordered: bool


def cases(folder: Path) -> Iterator[Case]:
    """Yield every test of the suite; tests with the same name get a number."""
    counts: dict[str, int] = {}
    for test in etree.parse(folder / "tests-fhir-r4.xml", _PARSER).iterfind(".//test"):
        name = test.get("name")
        counts[name] = counts.get(name, 0) + 1
        expression = test.find("expression")
        yield Case(
            name=name if counts[name] == 1 else f"{name}#{counts[name]}",
            input=test.get("inputfile"),
            expression=expression.text,
            outputs=tuple((output.get("type"), output.text or "") for output in test.iterfind("output")),
            invalid=expression.get("invalid") is not None,
            predicate=test.get("predicate") == "true",
            ordered=test.get("ordered") != "false",
        )


def run(case: Case, folder: Path) -> str | None:
    """Return the error in the result of a test; None for none."""
    resource = read(folder / case.input) if case.input else {"resourceType": "Basic", "code": {"text": "none"}}
    try:
        path = compile_path(case.expression, resource["resourceType"])
        found = path.typed(resource)
    except PathError as error:
        return None if case.invalid else f"failed: {error}"
    if case.invalid:
        return f"should fail, gave {found}"
    if case.predicate:
        found = [("System.Boolean", bool(found))]
    actual = [(type_, format_value(value)) for type_, value in found]
    expected = list(case.outputs)
    if not case.ordered:
        actual, expected = sorted(actual, key=lambda t: t[1]), sorted(expected, key=lambda t: t[1])
    same = len(actual) == len(expected) and all(map(_agrees, actual, expected))
    return None if same else f"expected {expected}, gave {actual}"


def _agrees(found: tuple[str, str], expected: tuple[str | None, str]) -> bool:
    wanted, text = expected
    if wanted == "decimal" and found[0] == "System.Decimal":
        return Decimal(found[1]) == Decimal(text)
    return found[1] == text.removeprefix("@").removeprefix("T") and (
        wanted is None or found[0].removeprefix("System.").lower() == wanted.lower()
    )


def format_value(value: Any) -> str:
    """Return a result as the suite writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value) if isinstance(value, str | int | Temporal | Quantity) else repr(value)


def read(file: Path) -> Json:
    """Return an input of the suite, from JSON or XML, as a resource."""
    if file.suffix == ".json":
        return decode(file.read_bytes())
    top = etree.parse(file, _PARSER).getroot()
    return {"resourceType": _local(top), **_object(top, _local(top))}


def _local(element: Any) -> str:
    return etree.QName(element).localname


def _object(element: Any, type_: str) -> Json:
    """Return the JSON of an XML element of a FHIR type."""
    found: Json = {name: value for name, value in element.attrib.items() if name in ("id", "url")}
    known: dict[str, tuple[Element, str]] = {
        name: (e, code) for e in load_definitions().types[type_].elements for name, code in e.json_names().items()
    }
    for child in element.iterchildren("*"):
        name = _local(child)
        described, code = known[name]
        value, extra = _value(child, code)
        for key, part in ((name, value), (f"_{name}", extra)):
            if described.many and (part is not None or key in found):
                found.setdefault(key, []).append(part)
            elif part is not None:
                found[key] = part
    return found


def _value(child: Any, code: str) -> tuple[Any, Any]:
    if code == "xhtml":
        return etree.tostring(child, encoding="unicode", with_tail=False), None
    if code == "Resource":
        inner = child[0]
        return {"resourceType": _local(inner), **_object(inner, _local(inner))}, None
    if code not in PRIMITIVES:
        return _object(child, code), None
    return _primitive(child.get("value"), PRIMITIVES[code].json), _object(child, "Element") or None


def _primitive(text: str | None, kind: str) -> Any:
    if text is None or kind == "string":
        return text
    return text == "true" if kind == "boolean" else int(text) if kind == "integer" else Decimal(text)
