"""What a pharmacist abroad chooses a prescription by, and by which ids a dispensation may name it."""

from collections.abc import Iterator
from typing import Any

from esante.core.xds import Coded
from esante.services.exchange.cda import V3, local_name
from esante.services.exchange.hl7v3.model import InstanceId

_XDW = "1.3.6.1.4.1.19376.1.2.3"
_OPEN, _CLOSED = "urn:ihe:iti:xdw:2011:eventCode:open", "urn:ihe:iti:xdw:2011:eventCode:closed"
ATC, EDQM = "2.16.840.1.113883.6.73", "0.4.0.127.0.16.1.1.2.1"
SUBSTITUTION = "2.16.840.1.113883.5.1070"
_SHOWN = (ATC, EDQM, SUBSTITUTION)
MAX_EVENTS = 20


def events_of(root: Any, *, is_open: bool) -> list[Coded]:
    """Return the event codes of a prescription: whether it can be dispensed, then its codes of medicine."""
    found = [Coded(_OPEN if is_open else _CLOSED, _XDW, "Open" if is_open else "Closed")]
    for element in root.iter():
        if element.get("codeSystem") in _SHOWN and element.get("code"):
            coded = Coded(element.get("code"), element.get("codeSystem"), element.get("displayName", ""))
            if coded not in found and len(found) < MAX_EVENTS:
                found.append(coded)
    return found


def ids_of(root: Any) -> Iterator[InstanceId]:
    """Yield the ids of a prescription: of the document, of those that it is a transform of, of its items."""
    paths = ("id", "relatedDocument/parentDocument/id")
    for path in paths:
        yield from map(_id, root.findall("/".join(f"{{{V3}}}{step}" for step in path.split("/"))))
    for element in root.iter(f"{{{V3}}}substanceAdministration", f"{{{V3}}}supply"):
        yield from (_id(child) for child in element if local_name(child) == "id")


def _id(element: Any) -> InstanceId:
    return InstanceId(element.get("root", ""), element.get("extension", ""))
