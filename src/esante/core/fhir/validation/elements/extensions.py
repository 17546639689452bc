"""Extensions: their addresses, and for those of R4 where they stand; their content is checked as a profile.

Source: FHIR R4, Extensibility (section 2.4) and Defining Extensions (section 5.4: context, invariants of the context).
"""

from collections.abc import Iterator

from esante.core.fhir.definitions import ExtensionUse, extension_uses
from esante.core.fhir.fhirpath import PathError, PathFailed, compile_path
from esante.core.fhir.model import ElementPath, Finding
from esante.core.fhir.profiles import part_names
from esante.core.fhir.validation.elements.addresses import is_absolute_address
from esante.core.fhir.validation.elements.places import Place
from esante.core.types import Json

_BOTH = ("extension", "modifierExtension")


def check_extensions(place: Place) -> Iterator[Finding]:
    """Yield a finding for each extension of an object that may not stand there, or whose address is not allowed."""
    for name in _BOTH:
        for index, extension in enumerate(place.value.get(name, ())):
            url, path = extension.get("url"), (*place.path, name, index)
            if not isinstance(url, str):
                continue
            if place.type == "Extension":
                yield from _check_part(place, url, path)
            elif not is_absolute_address(url):
                text = f"The address {url[:120]} of the extension is relative. Write that of its definition."
                yield Finding("error", "extension", (*path, "url"), text)
            use = extension_uses().get(url.partition("|")[0])
            if use is not None:
                yield from _check_use(place, use, extension, name, path)


def _check_part(place: Place, url: str, path: ElementPath) -> Iterator[Finding]:
    """Check an extension in an extension: R4's own have parts of certain names only."""
    known = part_names(str(place.value.get("url")))
    if known is not None and url not in known and not is_absolute_address(url):
        allowed = ", ".join(known) or "none"
        text = f'The extension {place.value["url"]} has no part "{url[:80]}". Its parts: {allowed}.'
        yield Finding("error", "extension", (*path, "url"), text)


def _check_use(place: Place, use: ExtensionUse, extension: Json, name: str, path: ElementPath) -> Iterator[Finding]:
    url = extension["url"]
    if "|" in url:
        text = "The address of an extension has no version. Remove | and what follows it."
        yield Finding("error", "extension", (*path, "url"), text)
    right = _BOTH[use.modifier]
    if name != right:
        text = f"The extension {url} stands in {right}, since it {'may' if use.modifier else 'cannot'} change the"
        yield Finding("error", "extension", path, f"{text} meaning of the element. Move it there.")
    if use.contexts and place.names.isdisjoint(use.contexts):
        yield Finding("error", "extension", path, f"R4 has the extension {url} only on {', '.join(use.contexts[:8])}.")
        return
    for condition in use.conditions:
        if not _holds(condition, place, extension):
            text = f"R4 has the extension {url} only where this is true of the element that has it: {condition}."
            yield Finding("error", "extension", path, text)


def _holds(condition: str, place: Place, extension: Json) -> bool:
    """Return whether a condition of the context holds; True where it is about another type."""
    context = {"resource": place.resource, "rootResource": place.root, "extension": extension}
    try:
        return compile_path(condition, place.type).test(place.value, context=context)
    except (PathError, PathFailed):
        return True
