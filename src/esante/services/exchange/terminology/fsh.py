"""Value sets and code systems in FHIR Shorthand, as the eHDSI terminology package has them: lists of codes.

Read are the lines `ValueSet:`, `CodeSystem:`, `Title:`, caret rules of version, URL, date and identifier, and code
rules (`* system#code "display"`); rules that compute a set (`include codes from`) are a fault, with their line.
Source: FHIR Shorthand 3.0, Defining ValueSets, Defining CodeSystems.
"""

import re
from dataclasses import dataclass, field

from esante.services.exchange.terminology.builder import CatalogueBuilder
from esante.services.exchange.terminology.dates import day_of
from esante.services.exchange.terminology.model import Code, ValueSet
from esante.services.exchange.terminology.systems import oid_of

_KEYWORD = re.compile(r"^(ValueSet|CodeSystem|Alias|Title|Id|Description|[A-Z][A-Za-z]+):\s*(.*)$")
_CARET = re.compile(r"^\*\s*\^([\w.\[\]+=]+)\s*[=:]\s*(.+?)\s*$")
_STRING = r'"((?:[^"\\]|\\.)*)"'
_CODE = re.compile(
    rf'^\*\s*(?:include\s+)?(?:codes\s+)?([^\s#"]*)#("(?:[^"\\]|\\.)*"|\S+)(?:\s+{_STRING})?(?:\s+{_STRING})?\s*$'
)
_COMPUTED = re.compile(r"^\*\s*(include|exclude)\b|^\*\s*codes\s+from\b")
_ESCAPE = re.compile(r"\\(.)")
_REMEDY = 'Write each code as * system#code "display"'


@dataclass(slots=True)
class _Item:
    kind: str
    name: str
    line: int
    title: str = ""
    url: str = ""
    oid: str = ""
    version: str = ""
    codes: list[tuple[Code, str, int]] = field(default_factory=list)


def read_fsh(text: str, place: str, builder: CatalogueBuilder) -> None:
    """Take the value sets and code systems of a text; `place` is its file."""
    aliases: dict[str, str] = {}
    item: _Item | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("//"):
            continue
        keyword = _KEYWORD.match(line)
        if keyword is not None and not line.startswith("*"):
            kind, value = keyword.groups()
            if kind == "Alias":
                name, _, url = value.partition("=")
                aliases[name.strip()] = url.strip()
            elif kind in ("ValueSet", "CodeSystem"):
                _finish(item, place, builder)
                item = _Item(kind, value.strip(), number)
            elif kind == "Title" and item is not None:
                item.title = value.strip('" ')
        elif line.startswith("*") and item is not None:
            _rule(line, number, item, aliases, place, builder)
    _finish(item, place, builder)


def _rule(line: str, number: int, item: _Item, aliases: dict[str, str], place: str, builder: CatalogueBuilder) -> None:
    where = f"{place}:{number}"
    caret = _CARET.match(line)
    if caret is not None:
        _caret(item, caret[1], caret[2].strip('"'), builder)
        return
    code = _CODE.match(line)
    if code is None:
        if _COMPUTED.match(line):
            builder.fault("the codes are computed, not listed", where, _REMEDY)
        else:
            builder.fault(f"the rule cannot be read: {line[:80]}", where, _REMEDY)
        return
    system, value, display = code[1], _unescaped(code[2]), _unescaped(code[3] or "")
    if item.kind == "ValueSet" and not system:
        builder.fault(f"the code {value} has no code system", where, _REMEDY)
        return
    system, _, version = aliases.get(system, system).partition("|")
    key = oid_of(system)
    builder.add_version(key, version)
    item.codes.append(((key, value), display, number))


def _caret(item: _Item, name: str, value: str, builder: CatalogueBuilder) -> None:
    if name == "url":
        item.url = value
    elif name == "version":
        item.version = value
    elif name == "date":
        builder.dated(day_of(value))
    elif name.startswith("identifier") and name.endswith("value"):
        item.oid = oid_of(value)


def _finish(item: _Item | None, place: str, builder: CatalogueBuilder) -> None:
    """Hand an item on, now that its rules are known: the address of a code system stands below its name."""
    if item is None:
        return
    own = item.kind == "CodeSystem"
    system = oid_of(item.url) if own else ""
    if own and item.oid:
        system = item.oid
    if own and not system:
        builder.fault(
            f"the code system {item.name} has no address", f"{place}:{item.line}", "Add * ^url = and its URL"
        )
        return
    if not own and not (item.oid or item.url):
        message = f"the value set {item.name} has no OID"
        builder.fault(message, f"{place}:{item.line}", 'Add * ^identifier.value = "urn:oid:..."')
        return
    codes = [((system or key[0], key[1]), display, number) for key, display, number in item.codes]
    for key, display, number in codes:
        builder.add_concept(key)
        if display:
            builder.add_designation(key, "en", display, f"{place}:{number}", own=own)
    if own:
        builder.add_version(system, item.version)
        return
    members = frozenset(key for key, _, _ in codes)
    builder.add_value_set(ValueSet(item.oid or item.url, item.title or item.name, item.version, members), place)


def _unescaped(text: str) -> str:
    if text.startswith('"') and text.endswith('"'):
        text = text[1:-1]
    return _ESCAPE.sub(r"\1", text)
