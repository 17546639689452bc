"""Identifiers, names, addresses and telecommunication: II, EN, AD, TEL of CDA; Identifier to ContactPoint of FHIR."""

import re
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
from esante.services.exchange.conversion.ledger import DERIVABLE, UNREADABLE, Fate
from esante.services.exchange.conversion.nodes import Node
from esante.services.exchange.conversion.terms import ORIGINAL_VALUE
from esante.services.exchange.terminology import oid_of

_URI_ID = "urn:ietf:rfc:3986"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.*)", re.DOTALL)
_SYSTEMS = {"tel": "phone", "mailto": "email", "fax": "fax", "http": "url", "https": "url", "sms": "sms"}
_USES = {"H": "home", "HP": "home", "HV": "home", "WP": "work", "DIR": "work", "PUB": "work", "TMP": "temp",
         "BAD": "old", "MC": "mobile", "EC": "home"}  # fmt: skip
_NAME_USES = {"L": "official", "C": "usual", "ASGN": "usual", "P": "nickname", "A": "anonymous"}


class Ident:
    """An II: `root` and `extension`, or a root alone, which is an OID or a UUID."""

    def read(self, node: Node, target: str, context: ReadContext) -> Json | None:
        """Return the identifier."""
        root, value = node.attributes.get("root", ""), node.attributes.get("extension", "").strip()
        found: Json = {}
        authority = node.attributes.get("assigningAuthorityName", "")
        if root and (OID.fullmatch(root) or UUID.fullmatch(root)):
            node.take("root", target)
            uri = f"urn:oid:{root}" if OID.fullmatch(root) else f"urn:uuid:{root.lower()}"
            if UUID.fullmatch(root) and value and uuid_of(authority) == root.lower():
                node.take("assigningAuthorityName", target, Fate.MERGED)
                uri, authority = authority, ""
            found = {"system": uri, "value": value} if value else {"system": _URI_ID, "value": uri}
        elif root:
            node.lose("root", UNREADABLE)
        if value:
            found["value"] = value
            node.take("extension", target)
        if authority.strip() and found:
            node.take("assigningAuthorityName", target)
            found["assigner"] = {"display": authority.strip()}
        if not found:
            absent = absent_extensions(node, target)
            return {"extension": list(absent)} if absent else None
        return found

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the identifier."""
        value: Json = container[key]
        if "value" not in value:
            return write_absent(value, element, context)
        system, text = value.get("system", ""), value["value"]
        if system == _URI_ID and (OID.fullmatch(text[8:]) or UUID.fullmatch(text[9:])):
            context.take(value, "system", element, "root", Fate.MERGED)
            context.take(value, "value", element, "root")
            element.set("root", text[8:] if text.startswith("urn:oid:") else text[9:])
        else:
            context.take(value, "value", element, "extension")
            element.set("extension", xml_text(text))
            if system:
                context.take(value, "system", element, "root")
                self._write_root(system, element)
        display = value.get("assigner", {}).get("display") if isinstance(value.get("assigner"), dict) else None
        if display and "assigningAuthorityName" not in element.attrib:
            context.take(value["assigner"], "display", element, "assigningAuthorityName")
            element.set("assigningAuthorityName", xml_text(display))
        return True

    def _write_root(self, system: str, element: Any) -> None:
        root = system[9:] if system.startswith("urn:uuid:") else oid_of(system)
        if OID.fullmatch(root) or UUID.fullmatch(root):
            element.set("root", root)
        else:
            element.set("root", uuid_of(system))
            element.set("assigningAuthorityName", xml_text(system))


class Words:
    """The text of an element as a string; `linked` puts a reference to the narrative beside it."""

    def read(self, node: Node, target: str, context: ReadContext) -> Any:
        """Return the text."""
        text = node.take_text(target)
        if text:
            return text
        absent = absent_extensions(node, target)
        return Primitive(None, absent) if absent else None

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the text."""
        value = container.get(key) if isinstance(container, dict) else container[key]
        if not value:
            beside = container.get(f"_{key}", {}) if isinstance(container, dict) else {}
            return write_absent(beside, element, context)
        element.text = xml_text(context.take(container, key, element))
        return True


class Link:
    """The reference of an element to a part of the narrative."""

    def read(self, node: Node, target: str, context: ReadContext) -> Any:
        """Return the reference, such as #a1."""
        value = node.take("value", target, Fate.MOVED)
        return "".join(value.split()) or None if value else None

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the reference."""
        element.set("value", xml_text(context.take(container, key, element, "value", Fate.MOVED)))
        return True


def _unless_absent(node: Node, target: str, found: Json) -> Json | None:
    if found:
        return found
    absent = absent_extensions(node, target)
    return {"extension": list(absent)} if absent else None


def _parts(value: Json, element: Any, context: WriteContext, names: tuple[tuple[str, str], ...]) -> bool:
    """Write the strings and lists of strings of a value as parts of an element."""
    written = False
    for key, name in names:
        found = value.get(key)
        for container, index in [(found, i) for i in range(len(found))] if isinstance(found, list) else [(value, key)]:
            if isinstance(found, list) and not found[int(index)]:
                continue
            if found:
                part = sub(element, name)
                part.text = xml_text(context.take(container, index, part))
                written = True
    return written


class PersonName:
    """A HumanName; a name without parts is its text."""

    def read(self, node: Node, target: str, context: ReadContext) -> Json | None:
        """Return the name."""
        found: Json = {}
        for child in node.children:
            key = {"family": "family", "given": "given", "prefix": "prefix", "suffix": "suffix"}.get(child.name)
            text = child.take_text(f"{target}.{key}") if key and not (key == "family" and "family" in found) else None
            if text and key == "family":
                found["family"] = text
            elif text and key:
                found.setdefault(key, []).append(text)
        if not found:
            text = node.take_text(f"{target}.text")
            found = {"text": text} if text else {}
        self._use(node, target, found)
        return _unless_absent(node, target, found)

    def _use(self, node: Node, target: str, found: Json) -> None:
        use = node.attributes.get("use")
        if use in _NAME_USES and found:
            node.take("use", target, Fate.KEPT if use in ("L", "C", "P", "A") else Fate.MERGED)
            found["use"] = _NAME_USES[use]

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the name."""
        value: Json = container[key]
        names = (("family", "family"), ("given", "given"), ("prefix", "prefix"), ("suffix", "suffix"))
        written = _parts(value, element, context, names)
        if not written and value.get("text"):
            element.text = xml_text(context.take(value, "text", element))
            written = True
        elif "text" in value and written:
            parts = [
                *value.get("prefix", ()),
                *value.get("given", ()),
                value.get("family", ""),
                *value.get("suffix", ()),
            ]
            if value["text"].split() == " ".join(part for part in parts if part).split():
                context.ledger.mark(value, "text", Fate.DROPPED, "", DERIVABLE)
        uses = {"official": "L", "usual": "C", "nickname": "P", "anonymous": "A"}
        if written and value.get("use") in uses:
            element.set("use", uses[context.take(value, "use", element, "use")])
        return written or write_absent(value, element, context)


class PostalAddress:
    """An Address; one without parts is its text."""

    _NAMES = (
        ("line", "streetAddressLine"),
        ("city", "city"),
        ("district", "county"),
        ("state", "state"),
        ("postalCode", "postalCode"),
        ("country", "country"),
    )

    def read(self, node: Node, target: str, context: ReadContext) -> Json | None:
        """Return the address."""
        keys = {name: key for key, name in self._NAMES}
        found: Json = {}
        street: list[str] = []
        for child in node.children:
            if child.name in ("streetName", "houseNumber", "additionalLocator", "unitID", "postBox"):
                street.append(child.take_text(f"{target}.line", Fate.MERGED) or "")
            elif child.name in keys:
                key = keys[child.name]
                if key != "line" and key in found:
                    continue
                text = child.take_text(f"{target}.{key}")
                if text and key == "line":
                    found.setdefault("line", []).append(text)
                elif text:
                    found[key] = text
                else:
                    self._part_absent(child, key, found, f"{target}.{key}")
        if any(street):
            found.setdefault("line", []).append(" ".join(part for part in street if part))
        if not found:
            text = node.take_text(f"{target}.text")
            found = {"text": text} if text else {}
        use = node.attributes.get("use", "").split(" ")[0]
        if _USES.get(use) in ("home", "work", "temp", "old") and found:
            node.take("use", target, Fate.KEPT if use in ("H", "WP", "TMP", "BAD") else Fate.MERGED)
            found["use"] = _USES[use]
        return _unless_absent(node, target, found)

    def _part_absent(self, child: Node, key: str, found: Json, target: str) -> None:
        absent = absent_extensions(child, target) if key != "line" else ()
        if absent:
            found[f"_{key}"] = {"extension": list(absent)}

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the address."""
        value: Json = container[key]
        written = _parts(value, element, context, self._NAMES)
        for own, name in self._NAMES:
            if f"_{own}" in value and own not in value and own != "line":
                part = sub(element, name)
                if write_absent(value[f"_{own}"], part, context):
                    written = True
                else:
                    element.remove(part)
        if not written and value.get("text"):
            element.text = xml_text(context.take(value, "text", element))
            written = True
        uses = {"home": "H", "work": "WP", "temp": "TMP", "old": "BAD"}
        if written and value.get("use") in uses:
            element.set("use", uses[context.take(value, "use", element, "use")])
        return written or write_absent(value, element, context)


class Telecom:
    """A ContactPoint: a URL in CDA; what has no scheme is of the system `other`."""

    def read(self, node: Node, target: str, context: ReadContext) -> Json | None:
        """Return the contact point."""
        text = node.attributes.get("value", "").strip()
        found: Json = {}
        scheme = _SCHEME.fullmatch(text)
        if text:
            node.take("value", target)
            system = _SYSTEMS.get(scheme[1].lower()) if scheme is not None else None
            if scheme is not None and system == "url":
                found = {"system": "url", "value": text}
            elif scheme is not None and system is not None and scheme[2].strip():
                found = {"system": system, "value": scheme[2].strip()}
                if scheme[1] not in ("tel", "mailto", "fax", "sms") or scheme[2] != scheme[2].strip():
                    found["_value"] = {"extension": [{"url": ORIGINAL_VALUE, "valueString": text}]}
            else:
                found = {"system": "other", "value": text}
        use = node.attributes.get("use", "").split(" ")[0]
        if use in _USES and found:
            node.take("use", target, Fate.KEPT if use in ("H", "WP", "TMP", "BAD", "MC") else Fate.MERGED)
            found["use"] = _USES[use]
        return _unless_absent(node, target, found)

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the contact point."""
        value: Json = container[key]
        text = value.get("value")
        if not text:
            return write_absent(value, element, context)
        scheme = {"phone": "tel:", "email": "mailto:", "fax": "fax:", "sms": "sms:"}.get(value.get("system", ""), "")
        context.take(value, "value", element, "value")
        if "system" in value:
            context.take(value, "system", element, "value", Fate.MERGED)
        element.set("value", xml_text(scheme + text))
        for extension in value.get("_value", {}).get("extension", ()):
            if extension.get("url") == ORIGINAL_VALUE and extension.get("valueString", "").strip().endswith(text):
                context.take(extension, "url", element, "value", Fate.MERGED)
                original = context.take(extension, "valueString", element, "value", Fate.MERGED)
                element.set("value", xml_text(original))
        uses = {"home": "H", "work": "WP", "temp": "TMP", "old": "BAD", "mobile": "MC"}
        if value.get("use") in uses:
            element.set("use", uses[context.take(value, "use", element, "use")])
        return True
