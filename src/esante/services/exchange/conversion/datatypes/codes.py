"""Coded values: CD, CE, CV, CS of CDA, and CodeableConcept, Coding and code of FHIR.

The chain of translations in CDA is the order of the codings: each is a translation of the one before it. Where that is
not so, the extension `translation-of` gives the index of the coding that it translates (-1: of a value without code).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from esante.core.types import Json
from esante.services.exchange.conversion.datatypes.base import (
    OID,
    UUID,
    Primitive,
    ReadContext,
    WriteContext,
    absent_extensions,
    sub,
    uuid_of,
    write_absent,
    xml_text,
)
from esante.services.exchange.conversion.ledger import DERIVABLE, NO_COUNTERPART, UNREADABLE, Fate
from esante.services.exchange.conversion.nodes import Node
from esante.services.exchange.conversion.terms import ORIGINAL_TEXT, TRANSLATION_OF
from esante.services.exchange.terminology import name_of, oid_of, uri_of

_UNREGISTERED = "urn:x-cda-codesystem:"
"""Before the name of a code system that a document writes in the place of its OID."""


def system_uri(node: Node, target: str, fate: Fate = Fate.KEPT) -> str | None:
    """Return the URI of an element's code system, and mark it."""
    system = node.take("codeSystem", target, fate)
    if system is None:
        return None
    name = node.attributes.get("codeSystemName", "")
    if UUID.fullmatch(system) and uuid_of(name) == system.lower():
        node.take("codeSystemName", target, Fate.MERGED)
        return name
    if OID.fullmatch(system):
        return uri_of(system)
    return f"urn:uuid:{system.lower()}" if UUID.fullmatch(system) else _UNREGISTERED + "".join(system.split())


def write_system(coding: Json, element: Any, context: WriteContext) -> None:
    """Write the code system of a coding: its OID, else the UUID of its URI with the URI as its name."""
    uri = context.take(coding, "system", element, "codeSystem")
    system, name = oid_of(uri), ""
    if uri.startswith(_UNREGISTERED):
        system = uri[len(_UNREGISTERED) :]
    elif uri.startswith("urn:uuid:"):
        system = uri[9:]
    elif not OID.fullmatch(system):
        system, name = uuid_of(uri), uri
    element.set("codeSystem", xml_text(system))
    if name or name_of(system):
        element.set("codeSystemName", xml_text(name or name_of(system)))


class Concept:
    """A CodeableConcept."""

    def read(self, node: Node, target: str, context: ReadContext) -> Json | None:
        """Return the concept of an element."""
        codings: list[Json] = []
        self._chain(node, None, codings, f"{target}.coding")
        found: Json = {}
        extensions = list(absent_extensions(node, target))
        original = node.child("originalText")
        if original is not None:
            text = self._original(original, target, extensions, context)
            if text:
                found["text"] = text
        if extensions:
            found["extension"] = extensions
        if codings:
            found["coding"] = codings
        return found or None

    def _original(self, original: Node, target: str, extensions: list[Json], context: ReadContext) -> str:
        reference = original.child("reference")
        if reference is not None:
            value = reference.take("value", f"{target}.extension", Fate.MOVED)
            if value and value.strip():
                extensions.append({"url": ORIGINAL_TEXT, "valueUrl": "".join(value.split())})
                return context.narrative.text_of(value)
        return original.take_text(f"{target}.text") or ""

    def _chain(self, node: Node, parent: int | None, codings: list[Json], target: str) -> None:
        """Add the coding of an element and those of its translations, each after what it translates."""
        coding: Json = {}
        code = node.take_code("code", target)
        if code:
            coding["code"] = code
            system = system_uri(node, target)
            if system:
                coding["system"] = system
            version = node.take("codeSystemVersion", target)
            if version:
                coding["version"] = version
        display = node.take("displayName", target)
        if display and display.strip():
            coding["display"] = display.strip()
        node.lose("codeSystemName", DERIVABLE)
        index = parent
        if coding:
            index = len(codings)
            expected = index - 1 if index else None
            if parent != expected:
                coding["extension"] = [{"url": TRANSLATION_OF, "valueInteger": -1 if parent is None else parent}]
            codings.append(coding)
        elif parent is None:
            index = -1
        else:
            node.lose("nullFlavor", NO_COUNTERPART)
        for child in node.children:
            if child.name == "translation":
                self._chain(child, index, codings, target)

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write a concept: the first coding as the code, each other as the translation of what it translates."""
        value: Json = container[key]
        written = write_absent(value, element, context)
        self._write_text(value, element, context)
        codings: list[Json] = list(value.get("coding", ()))
        parents = [parent_of(coding, index, element, context) for index, coding in enumerate(codings)]
        self.write_chain(codings, parents, element, context)
        return written or bool(codings) or len(element) > 0

    def write_chain(
        self, codings: Sequence[Json], parents: Sequence[int | None], element: Any, context: WriteContext
    ) -> None:
        """Write codings, each as the translation of the one whose index is its parent (-1: of the element itself)."""
        at: list[Any] = []
        for index, (coding, parent) in enumerate(zip(codings, parents, strict=True)):
            if index == 0 and parent is None:
                one = element
            else:
                known = parent is not None and 0 <= parent < index
                one = sub(at[parent] if known and parent is not None else element, "translation")
            at.append(one)
            self._write_coding(coding, one, context)

    def _write_text(self, value: Json, element: Any, context: WriteContext) -> None:
        linked = next((one for one in value.get("extension", ()) if one.get("url") == ORIGINAL_TEXT), None)
        if linked is not None and "valueUrl" in linked:
            reference = sub(sub(element, "originalText"), "reference")
            reference.set("value", xml_text(context.take(linked, "valueUrl", reference, "value", Fate.MOVED)))
            context.take(linked, "url", reference, "value", Fate.MERGED)
            if "text" in value:
                context.ledger.mark(value, "text", Fate.TEXT_ONLY, "", "the words stand in the narrative")
        elif value.get("text"):
            original = sub(element, "originalText")
            original.text = xml_text(context.take(value, "text", original))

    def _write_coding(self, coding: Json, element: Any, context: WriteContext) -> None:
        if "code" in coding:
            element.set("code", xml_text(context.take(coding, "code", element, "code")))
            if coding.get("system"):
                write_system(coding, element, context)
            if coding.get("version"):
                version = context.take(coding, "version", element, "codeSystemVersion")
                element.set("codeSystemVersion", xml_text(version))
        if coding.get("display"):
            element.set("displayName", xml_text(context.take(coding, "display", element, "displayName")))


def parent_of(coding: Json, index: int, element: Any, context: WriteContext) -> int | None:
    """Return the index of the coding that one translates (-1: the element itself); None for the first.

    An index that is none of a coding before it is dropped.
    """
    for extension in coding.get("extension", ()):
        said = extension.get("valueInteger")
        if extension.get("url") == TRANSLATION_OF and isinstance(said, int) and -1 <= said < index:
            context.take(extension, "url", element, "translation", Fate.MERGED)
            parent: int = context.take(extension, "valueInteger", element, "translation", Fate.MERGED)
            return parent
    return index - 1 if index else None


class Coded:
    """A code of FHIR whose values are those of a table of CDA codes; `default` is written when FHIR's is not in it.

    `system`: the OID that is written; "" for the types whose code system CDA fixes.
    """

    def __init__(self, codes: Mapping[str, str], *, system: str = "", back: Mapping[str, str] | None = None) -> None:
        self._codes, self._system = codes, system
        first = {fhir: cda for cda, fhir in reversed(list(codes.items()))}
        self._back = first | dict(back or {})

    def read(self, node: Node, target: str, context: ReadContext) -> Any:
        """Return the code, or the reason why there is none."""
        code = node.attributes.get("code")
        found = self._codes.get(code or "")
        if found is not None:
            exact = self._back[found] == code
            node.take("code", target, Fate.KEPT if exact else Fate.MERGED)
            for name in ("codeSystem", "codeSystemName", "codeSystemVersion", "displayName"):
                node.lose(name, DERIVABLE)
            return found
        if code is not None:
            node.lose("code", UNREADABLE)
        absent = absent_extensions(node, target)
        return Primitive(None, absent) if absent else None

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the code."""
        value = container.get(key)
        if value is None:
            return write_absent(container.get(f"_{key}", {}), element, context)
        code = self._back.get(value)
        if code is None:
            return False
        exact = self._codes.get(code) == value
        context.take(container, key, element, "code", Fate.KEPT if exact else Fate.MERGED)
        element.set("code", code)
        if self._system:
            element.set("codeSystem", self._system)
            if name_of(self._system):
                element.set("codeSystemName", name_of(self._system))
        return True


class StatusConcept:
    """A concept bound to codes of FHIR, which CDA has in another code system.

    The coding of FHIR stands first, CDA's after it; only CDA's are written where there are any.
    """

    def __init__(self, codes: Mapping[str, str], uri: str, system: str) -> None:
        self._codes, self._uri, self._system = codes, uri, system
        self._back = {fhir: cda for cda, fhir in reversed(list(codes.items()))}
        self._concept = Concept()

    def read(self, node: Node, target: str, context: ReadContext) -> Json | None:
        """Return the concept with the coding of FHIR before CDA's."""
        concept = self._concept.read(node, target, context)
        code = self._codes.get(node.attributes.get("code") or "")
        if concept is not None and code is not None and node.attributes.get("codeSystem") != oid_of(self._uri):
            first = {"system": self._uri, "code": code}
            for coding in concept["coding"]:
                for extension in coding.get("extension", ()):
                    if extension["url"] == TRANSLATION_OF and extension["valueInteger"] >= 0:
                        extension["valueInteger"] += 1
            concept["coding"] = [first, *concept["coding"]]
        elif concept is not None and code is None and concept.get("coding"):
            return None if self._uri else concept
        return concept

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write CDA's codings; FHIR's translated by the table where there are no others."""
        value: Json = container[key]
        codings = value.get("coding", ())
        others = [coding for coding in codings if coding.get("system") != self._uri]
        own = [coding for coding in codings if coding.get("system") == self._uri]
        if others:
            moved = {"coding": others} | {name: value[name] for name in ("text", "extension") if name in value}
            if own:
                for coding in others:
                    for extension in coding.get("extension", ()):
                        if extension.get("url") == TRANSLATION_OF:
                            return False  # positions differ; such a status is not written by this program
                if self._codes.get(others[0].get("code", "")) == own[0].get("code"):
                    context.ledger.mark_all(own, Fate.MERGED, (element, "code"), "")
            return self._concept.write({"value": moved}, "value", element, context)
        code = self._back.get(own[0].get("code", "")) if own else None
        if code is None:
            return write_absent(value, element, context)
        context.ledger.mark_all(own, Fate.MERGED, (element, "code"))
        element.set("code", code)
        element.set("codeSystem", self._system)
        element.set("codeSystemName", name_of(self._system))
        return True
