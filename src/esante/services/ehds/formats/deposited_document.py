"""A deposited document again, out of the resources that the record holds from it (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any

from esante.core.fhir.narrative import render_composition
from esante.core.types import Json
from esante.services.ehds.formats.bundle import NOT_AVAILABLE, Frame
from esante.services.ehds.formats.facts import Fact, codings_of
from esante.services.ehds.formats.kinds import SectionRule
from esante.services.ehds.formats.model import BuiltSection, Line, LineSource
from esante.services.ehds.formats.references import with_addresses


def rebuild(frame: Frame, composition: Fact, facts: Mapping[str, Fact]) -> Json:
    """Return the Bundle of a Composition and of `facts`, which come from the same document.

    The Patient is the directory's. Where the Composition lists what the reader does not see, its
    entries are left out and its narratives are written anew.
    """
    patient = f"Patient/{frame.patient['id']}"
    addresses = {address: f"{frame.base_url}/{address}" for address in [*facts, patient]}
    kept, dropped = _visible(composition.resource, addresses)
    others = [one for one in _connected(facts) if one.address != composition.address]
    entries = [(addresses[composition.address], kept), (addresses[patient], frame.patient)]
    entries += [(addresses[one.address], one.resource) for one in others]
    profile = frame.kind.profiles[0]
    bundle: Json = {
        "resourceType": "Bundle",
        **({"meta": {"profile": [profile]}} if profile else {}),
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{frame.identifier}"},
        "type": "document",
        "timestamp": frame.at.isoformat(timespec="seconds"),
        "entry": [{"fullUrl": url, "resource": with_addresses(each, addresses)} for url, each in entries],
    }
    return render_composition(bundle) if dropped else bundle


def _connected(facts: Mapping[str, Fact]) -> list[Fact]:
    """Return the facts that refer to another or are referred to: no document has others (R4, documents, 3.3.1).

    What only the Patient of the deposited document referred to is among these others.
    """
    linked: set[str] = set()
    for fact in facts.values():
        targets = {address for address in fact.references() if address in facts and address != fact.address}
        linked |= targets | ({fact.address} if targets else set())
    return [fact for address, fact in facts.items() if address in linked]


def _visible(container: Json, addresses: Mapping[str, str]) -> tuple[Json, bool]:
    """Return a Composition or section without entries that lead nowhere, and whether there were any."""
    made, dropped = dict(container), False
    if "entry" in made:
        made["entry"] = [one for one in made["entry"] if str(one.get("reference", "")) in addresses]
        dropped = len(made["entry"]) < len(container["entry"])
        if not made["entry"]:
            del made["entry"]
            made["emptyReason"] = NOT_AVAILABLE
    if "section" in made:
        inner = [_visible(one, addresses) for one in made["section"]]
        made["section"] = [one for one, _ in inner]
        dropped = dropped or any(changed for _, changed in inner)
    return made, dropped


def sections_of(composition: Fact, facts: Mapping[str, Fact], source: LineSource) -> tuple[BuiltSection, ...]:
    """Return the sections of a Composition with the lines that the reader sees, those within others after them."""
    return tuple(_sections(composition.resource, facts, source))


def _sections(container: Json, facts: Mapping[str, Fact], source: LineSource) -> Iterator[BuiltSection]:
    for section in container.get("section") or ():
        lines = tuple(
            Line(facts[address].resource, (source,), facts[address].says_none)
            for address in _entries(section)
            if address in facts
        )
        code = next(iter(codings_of(section.get("code"))), ("", ""))[1]
        title = str(section.get("title") or code)
        yield BuiltSection(SectionRule(code=code, standard=title, label=title, types=()), lines)
        yield from _sections(section, facts, source)


def _entries(section: Json) -> Iterator[str]:
    for one in section.get("entry") or ():
        address: Any = one.get("reference") if isinstance(one, dict) else None
        if isinstance(address, str):
            yield address
