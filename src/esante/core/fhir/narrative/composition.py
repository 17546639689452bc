"""A document whose narratives are written anew from its entries."""

from typing import Any

from esante.core.fhir.narrative.section import render_section
from esante.core.fhir.view import ReferenceLibrary
from esante.core.types import Json

_LISTING = frozenset(["DiagnosticReport", "List", "CarePlan"])
"""Types whose own narrative repeats what other resources say."""


def render_composition(bundle: Json) -> Json:
    """Return a copy of a document Bundle with narratives that say what its entries say, and nothing else.

    - A section with entries, or with a reason for being empty, gets a new text; one that has neither keeps its text,
      which is its only content, as long as it has no sections of its own.
    - The text of the Composition, and of resources that list others (reports, lists, panels), is written anew.
    - The other resources, and the Bundle handed in, stay as they are.
    """
    library = ReferenceLibrary(bundle)
    entries = [_with_new_text(entry, library) if isinstance(entry, dict) else entry for entry in bundle["entry"]]
    return bundle | {"entry": entries}


def _with_new_text(entry: Json, library: ReferenceLibrary) -> Json:
    resource = entry.get("resource")
    if not isinstance(resource, dict):
        return entry
    if resource.get("resourceType") == "Composition":
        return entry | {"resource": _composition(resource, library)}
    if "text" in resource and (resource.get("resourceType") in _LISTING or "hasMember" in resource):
        language = resource.get("language") or _language(library)
        return entry | {"resource": resource | _text(render_section("", [resource], library, language))}
    return entry


def _language(library: ReferenceLibrary) -> str:
    composition = next((one for one in library.resources if one.get("resourceType") == "Composition"), {})
    return str(composition.get("language") or "en")


def _composition(composition: Json, library: ReferenceLibrary) -> Json:
    language = str(composition.get("language") or "en")
    made = dict(composition)
    if "text" in made:
        made |= _text(render_section(str(made.get("title", "")), [], library, language, empty=_header(made)))
    if "section" in made:
        made["section"] = [_section(one, library, language) for one in made["section"]]
    return made


def _header(composition: Json) -> str:
    """Return the line below the title: the subject and the day, as far as the Composition names them."""
    subject = composition.get("subject")
    name = subject.get("display", "") if isinstance(subject, dict) else ""
    return " · ".join(part for part in (str(name), str(composition.get("date", ""))[:10]) if part) or "–"


def _section(section: Any, library: ReferenceLibrary, language: str) -> Any:
    if not isinstance(section, dict):
        return section
    made = dict(section)
    if "section" in made:
        made["section"] = [_section(one, library, language) for one in made["section"]]
    title = str(made.get("title", ""))
    if made.get("entry"):
        found = list(library.find_all(made["entry"]))
        made |= _text(render_section(title, found, library, language))
    elif "emptyReason" in made:
        made |= _text(render_section(title, [], library, language, empty=_empty_text(made["emptyReason"])))
    elif "section" in made:
        made.pop("text", None)
    return made


def _empty_text(reason: Any) -> str:
    """Return the words of a reason for being empty: its text, or the display of its code."""
    if not isinstance(reason, dict):
        return ""
    codings = [one for one in reason.get("coding") or () if isinstance(one, dict)]
    return str(reason.get("text") or next((one.get("display") or one.get("code") for one in codings), ""))


def _text(div: str) -> Json:
    return {"text": {"status": "generated", "div": div}}
