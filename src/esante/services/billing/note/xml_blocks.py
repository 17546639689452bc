"""Reading and writing of the national messages by tables: each block of a message is a sequence of fields.

The tables are our own model of the messages. What is read is bounded before it is parsed, never resolves an entity,
and every fault is found with its place (XML 1.0, section 5.1; OWASP, XML External Entity Prevention).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from lxml import etree

from esante.core.web import N_
from esante.services.billing.note.faults import BadNote, NoteFault
from esante.services.billing.note.xml_values import Value

NAMESPACE = "http://www.secu.lu/ciss/cns"
MAX_BYTES = 8 * 1024 * 1024
"""Bytes of a message; most of a large one is the PDF in it."""
MAX_MARKUP = 40_000
"""Tags and attributes of a message: 500 lines of a note have less than 20,000."""
MAX_DEPTH = 32
"""Elements within each other in a signature."""
MAX_FAULTS = 50
"""Faults that are told at most."""
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_HINTS = {f"{_XSI}schemaLocation", f"{_XSI}noNamespaceSchemaLocation"}
_ENCODINGS = {"utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252"}
_DECLARATION = re.compile(rb"""^(?:\xef\xbb\xbf)?<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_ANEW = N_("Let your software write the file again.")


@dataclass(frozen=True, slots=True)
class Raw:
    """The kind of an element that holds one element of another namespace, kept as it is (canonical XML)."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a block: the tag of its element, its key in the model, and whether it must be there."""

    tag: str
    key: str
    kind: "Value | Block | Raw"
    required: bool = False
    many: bool = False

    @property
    def absent(self) -> Any:
        """The value where there is no such element."""
        if self.many:
            return ()
        return self.kind.empty if isinstance(self.kind, Value) else b"" if isinstance(self.kind, Raw) else None


def attributes_of(value: Any) -> Mapping[str, Any]:
    """Return the attributes of a dataclass by their names."""
    return {one.name: getattr(value, one.name) for one in fields(value)}


@dataclass(frozen=True, slots=True)
class Block:
    """A sequence of fields: `make` builds the value of the fields' values by key, `take` is its inverse.

    `choice`: the tags of which exactly one is there.
    """

    fields: tuple[Field, ...]
    make: Callable[..., Any] = dict
    take: Callable[[Any], Mapping[str, Any]] = attributes_of
    choice: tuple[str, ...] = ()


def parse(data: bytes) -> Any:
    """Return the root element of a message. Raises: BadNote when it is too large or no well-formed, plain XML."""
    if len(data) > MAX_BYTES:
        raise _refusal(N_("The file is too large."), N_("Leave the PDF out."), f"{MAX_BYTES:,} bytes are allowed")
    declared = _DECLARATION.match(data)
    if b"\0" in data or (declared and declared[1].decode().lower() not in _ENCODINGS):
        raise _refusal(N_("The file is not written in UTF-8."), _ANEW)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise _refusal(N_("The file declares a document type; no message has one."), _ANEW)
    if data.count(b"<") + data.count(b"=") > MAX_MARKUP:
        raise _refusal(N_("The file has too many elements."), N_("Divide the fee note into several ones."))
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise _refusal(N_("The file is not well-formed XML."), _ANEW, str(error.msg), error.lineno or 0) from error


def _refusal(title: str, remedy: str, detail: str = "", line: int = 0) -> BadNote:
    return BadNote([NoteFault(place="/", title=title, remedy=remedy, detail=detail, line=line, code="structure")])


@dataclass(slots=True)
class Reader:
    """Reads blocks of one message; faults and remarks gather in it.

    `qualified`: whether the elements within the root are in the namespace. `lenient` takes either with a remark.
    """

    qualified: bool = False
    lenient: bool = False
    faults: list[NoteFault] = field(default_factory=list)
    remarks: list[NoteFault] = field(default_factory=list)

    def root(self, data: bytes, tag: str, block: Block) -> Any:
        """Return the value of a whole message. Raises: BadNote with all faults."""
        element = parse(data)
        if element.tag != f"{{{NAMESPACE}}}{tag}":
            detail = f"{{{NAMESPACE}}}{tag}"
            raise BadNote([self._fault(element, "/", N_("This is another message than expected."), detail=detail)])
        value = self.block(element, block, f"/{tag}")
        if self.faults:
            raise BadNote(self.faults[:MAX_FAULTS])
        return value

    def block(self, element: Any, block: Block, path: str) -> Any:
        """Return the value of a block; None when it has faults."""
        before, values = len(self.faults), {one.key: one.absent for one in block.fields}
        self._check_surroundings(element, path, has_text=False)
        position, counts = 0, dict.fromkeys((one.tag for one in block.fields), 0)
        for child in element:
            if len(self.faults) > MAX_FAULTS:
                return None
            tag = self._local_name(child, path)
            found = next((i for i, one in enumerate(block.fields) if one.tag == tag), None)
            if found is None:
                self._add(child, f"{path}/{tag}", N_("This element does not belong here."))
                continue
            one = block.fields[found]
            counts[tag] += 1
            place = f"{path}/{tag}[{counts[tag]}]" if one.many else f"{path}/{tag}"
            if found < position or (counts[tag] > 1 and not one.many):
                self._add(child, place, N_("This element is in the wrong order, or repeated."))
                continue
            position = found
            value = self._value(child, one.kind, place)
            values[one.key] = (*values[one.key], value) if one.many else value
        self._check_presence(element, block, counts, path)
        return None if len(self.faults) > before else block.make(**values)

    def _value(self, element: Any, kind: Value | Block | Raw, path: str) -> Any:
        if isinstance(kind, Block):
            return self.block(element, kind, path)
        if isinstance(kind, Raw):
            return self._raw(element, path)
        self._check_surroundings(element, path, has_text=True)
        if len(element):
            self._add(element[0], path, N_("This element does not belong here."))
            return None
        found = element.text or ""
        try:
            return kind.read(found)
        except ValueError:
            if self.lenient and kind.tolerate:
                self._remark(element, path, N_("This value does not have the form that the schema wants."))
                return kind.tolerate(found)
            self._add(
                element,
                path,
                N_("This value does not have the right form."),
                N_("Correct the value."),
                f"{kind.form} expected",
                code="value",
            )
            return None

    def _raw(self, element: Any, path: str) -> bytes:
        self._check_surroundings(element, path, has_text=False)
        if not len(element):
            return b""
        if len(element) > 1 or etree.QName(element[0]).namespace in (None, NAMESPACE):
            self._add(element, path, N_("This element does not belong here."))
            return b""
        if _depth(element[0]) > MAX_DEPTH:
            self._add(element, path, N_("The elements are nested too deeply."))
            return b""
        return bytes(etree.tostring(element[0], method="c14n", exclusive=True, with_comments=False))

    def _local_name(self, element: Any, path: str) -> str:
        """Return the tag without its namespace, which is that of the message or none."""
        name = etree.QName(element)
        expected = NAMESPACE if self.qualified else None
        if name.namespace != expected:
            if self.lenient and name.namespace in (None, NAMESPACE):
                self._remark(element, path, N_("The elements have another namespace than in the schema."))
            else:
                title = N_("The element has the wrong namespace.")
                self._add(element, f"{path}/{name.localname}", title, detail=expected or "none expected")
        return str(name.localname)

    def _check_surroundings(self, element: Any, path: str, *, has_text: bool) -> None:
        if set(element.attrib) - _HINTS:
            self._add(element, path, N_("This element has an attribute that no message has."))
        texts = [] if has_text else [element.text, *(child.tail for child in element)]
        if any(one and one.strip() for one in texts):
            self._add(element, path, N_("There is a text where only elements belong."))

    def _check_presence(self, element: Any, block: Block, counts: Mapping[str, int], path: str) -> None:
        for one in block.fields:
            if one.required and not counts[one.tag]:
                title = N_("This element is missing.")
                self._add(element, f"{path}/{one.tag}", title, N_("Add the element."), code="required")
        if block.choice and sum(counts[tag] for tag in block.choice) != 1:
            place, title = f"{path}/({' | '.join(block.choice)})", N_("Exactly one of these elements is needed.")
            self._add(element, place, title, code="required")

    def _add(
        self, element: Any, path: str, title: str, remedy: str = _ANEW, detail: str = "", *, code: str = "structure"
    ) -> None:
        self.faults.append(self._fault(element, path, title, remedy, detail, code=code))

    def _remark(self, element: Any, path: str, title: str) -> None:
        if not any(one.title == title for one in self.remarks):
            self.remarks.append(self._fault(element, path, title))

    @staticmethod
    def _fault(
        element: Any, path: str, title: str, remedy: str = _ANEW, detail: str = "", *, code: str = "structure"
    ) -> NoteFault:
        line = element.sourceline or 0
        return NoteFault(place=path, title=title, remedy=remedy, detail=detail, line=line, code=code)


def write(tag: str, block: Block, value: Any, *, qualified: bool = False) -> bytes:
    """Return a message in UTF-8. Raises: ValueError for a value that the message cannot hold."""
    root = etree.Element(f"{{{NAMESPACE}}}{tag}", nsmap={"cns": NAMESPACE})
    _fill(root, block, value, f"{{{NAMESPACE}}}" if qualified else "")
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _fill(parent: Any, block: Block, value: Any, prefix: str) -> None:
    values = block.take(value)
    for one in block.fields:
        found = values[one.key]
        for item in found if one.many else (found,):
            if item == one.absent and not one.required and not one.many:
                continue
            element = etree.SubElement(parent, f"{prefix}{one.tag}")
            if isinstance(one.kind, Block):
                _fill(element, one.kind, item, prefix)
            elif isinstance(one.kind, Raw):
                element.append(parse(item))
            else:
                try:
                    element.text = one.kind.write(item)
                except ValueError as error:
                    raise ValueError(f"{one.tag} cannot hold {item!r}: {one.kind.form}") from error


def _depth(element: Any) -> int:
    """Return how many elements are within each other at most."""
    deepest, waiting = 0, [(element, 1)]
    while waiting:
        current, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + 1) for child in current]
    return deepest
