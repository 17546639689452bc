"""What all data types share: a primitive with its extensions, null flavors, the context of writing."""

import re
import uuid
from dataclasses import dataclass, field
from typing import Any, Protocol

from lxml import etree

from esante.core.types import Json
from esante.services.exchange.cda import V3
from esante.services.exchange.conversion.ledger import DERIVABLE, Fate, Ledger
from esante.services.exchange.conversion.nodes import Node
from esante.services.exchange.conversion.paths import Writer
from esante.services.exchange.conversion.terms import DATA_ABSENT, NULL_FLAVOR, NULL_REASONS, REASON_FLAVORS

OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_NO_CHARACTERS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Primitive:
    """A primitive of FHIR, None where it is absent, and its extensions."""

    value: Any
    extension: tuple[Json, ...] = ()


class NarrativeTexts(Protocol):
    """The texts of a document's narrative by their identifiers."""

    def text_of(self, reference: str) -> str:
        """Return the text that a reference such as #a1 names, "" for none."""


class ReadContext(Protocol):
    """What reading needs beside the element."""

    @property
    def narrative(self) -> NarrativeTexts:
        """The narrative of the document."""

    @property
    def patient(self) -> str:
        """The reference to the patient."""

    def add(self, resource: Json, *, shared: bool = False) -> str:
        """Add a resource to the Bundle and return the reference to it; `shared`: one for all of the same content."""


@dataclass(slots=True)
class WriteContext:
    """What writing needs beside the value."""

    ledger: Ledger
    writer: Writer
    resources: dict[str, tuple[Json, Json]] = field(default_factory=dict)
    """Entry and resource by reference."""
    subject: str = ""
    """The reference to the patient."""

    def resolve(self, holder: Json, element: Any) -> Json | None:
        """Return the resource that a Reference names, and mark what led to it; None when it is not in the Bundle."""
        reference = holder.get("reference", "")
        entry, resource = self.resources.get(reference, (None, None))
        if resource is None or entry is None:
            return None
        self.take(holder, "reference", element, "", Fate.MERGED)
        if "fullUrl" in entry:
            self.take(entry, "fullUrl", element, "", Fate.MERGED)
        self.take(resource, "resourceType", element, "", Fate.MERGED)
        return resource

    def take(self, container: Any, key: str | int, element: Any, attribute: str = "", fate: Fate = Fate.KEPT) -> Any:
        """Return a value that is written to an attribute (the text: ""), and mark it."""
        value = container[key]
        self.ledger.mark(container, key, fate, (element, attribute))
        return value


class DataType(Protocol):
    """A data type of CDA and its form in FHIR."""

    def read(self, node: Node, target: str, context: ReadContext) -> Any:
        """Return the value of an element in FHIR, None when there is none."""

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the value of a container into an element; tell whether there was one."""


def absent_extensions(node: Node, target: str) -> tuple[Json, ...]:
    """Return the extensions that carry an element's null flavor; none without one."""
    flavor = node.attributes.get("nullFlavor")
    if flavor is None:
        return ()
    reason = NULL_REASONS.get(flavor)
    if reason is None:
        node.lose("nullFlavor", "no null flavor of HL7")
        return ({"url": DATA_ABSENT, "valueCode": "error"},)
    node.take("nullFlavor", target, Fate.MOVED)
    found: Json = {"url": DATA_ABSENT, "valueCode": reason}
    if REASON_FLAVORS[reason] == flavor:
        return (found,)
    return found, {"url": NULL_FLAVOR, "valueCode": flavor}


def write_absent(value: Any, element: Any, context: WriteContext) -> bool:
    """Write the null flavor that the extensions of a value carry; tell whether there is one."""
    flavor = None
    extensions = value.get("extension", ()) if isinstance(value, dict) else ()
    exact = any(one.get("url") == NULL_FLAVOR and "valueCode" in one for one in extensions)
    for extension in extensions:
        if extension.get("url") == DATA_ABSENT and "valueCode" in extension and exact:
            context.ledger.mark_all(extension, Fate.DROPPED, "", DERIVABLE)
        elif extension.get("url") == DATA_ABSENT and "valueCode" in extension:
            reason = context.take(extension, "valueCode", element, "nullFlavor", Fate.MOVED)
            context.take(extension, "url", element, "nullFlavor", Fate.MERGED)
            flavor = flavor or REASON_FLAVORS.get(reason, "NI")
        elif extension.get("url") == NULL_FLAVOR and "valueCode" in extension:
            flavor = context.take(extension, "valueCode", element, "nullFlavor", Fate.MOVED)
            context.take(extension, "url", element, "nullFlavor", Fate.MERGED)
    if flavor is not None:
        element.set("nullFlavor", flavor)
    return flavor is not None


def sub(element: Any, name: str) -> Any:
    """Return a new child of HL7's namespace."""
    return etree.SubElement(element, f"{{{V3}}}{name}")


def uuid_of(uri: str) -> str:
    """Return the UUID that stands for a URI where CDA has room for an OID or a UUID only; its name is the URI."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, uri))


def xml_text(value: Any) -> str:
    """Return a value without the characters that XML cannot have (XML 1.0, production 2)."""
    text = str(value)
    return _NO_CHARACTERS.sub("", text) if _NO_CHARACTERS.search(text) else text
