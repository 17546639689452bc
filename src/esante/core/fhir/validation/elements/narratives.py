"""Links in narratives: they run nothing, and those inside of the resource lead somewhere.

Source: FHIR R4, Narrative (section 2.4.0.1: no active content; links to contained resources and to the narrative).
"""

import re
from collections.abc import Iterator

from esante.core.fhir.fhirpath import find_anchors, find_links
from esante.core.fhir.model import ElementPath, Finding
from esante.core.fhir.validation.elements.places import Place
from esante.core.types import Json

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.\-\s]*):")
_ACTIVE = frozenset({"javascript", "vbscript"})
_FOLLOWED = frozenset({"http", "https", "mailto", "tel", "ftp", "data"})


class Narratives:
    """The links in the narratives of each resource, and the places in it to which they may lead."""

    def __init__(self) -> None:
        self._links: list[tuple[int, str, ElementPath]] = []
        self._anchors: set[tuple[int, str]] = set()

    def check(self, place: Place) -> Iterator[Finding]:
        """Yield a finding for each link of a Narrative that runs something, or that no browser follows."""
        div = place.value.get("div")
        if not isinstance(div, str):
            return
        if "id=" in div or "name=" in div:
            self._anchors.update((id(place.root), name) for name in find_anchors(div))
        path = (*place.path, "div")
        for link in dict.fromkeys(find_links(div) if "href" in div or "src" in div else ()):
            match = _SCHEME.match(link)
            scheme = re.sub(r"\s", "", match[1]).lower() if match else ""
            if scheme in _ACTIVE:
                text = f"The link {link[:80]} runs a script, which a narrative must not have. Remove it."
                yield Finding("error", "value", path, text)
            elif scheme and scheme not in _FOLLOWED:
                yield Finding("warning", "value", path, f"No browser follows the link {link[:80]}. Write one of http.")
            elif link.startswith("#") and link != "#":
                self._add_contained(place.root)
                self._links.append((id(place.root), link[1:], path))

    def _add_contained(self, root: Json) -> None:
        """Add the contained resources of a resource, once: its own anchor is ""."""
        if (id(root), "") not in self._anchors:
            self._anchors |= {(id(root), str(each.get("id"))) for each in root.get("contained", ())}
            self._anchors.add((id(root), ""))

    def warn_of_dead_links(self) -> Iterator[Finding]:
        """Yield one warning for all links to places in the resource that do not exist."""
        dead = [(name, path) for root, name, path in self._links if (root, name) not in self._anchors]
        if dead:
            more = f" Also {len(dead) - 1:,} other{'s' * (len(dead) > 2)}." if len(dead) > 1 else ""
            text = f"The link #{dead[0][0][:80]} leads to nothing in the narrative or among contained resources.{more}"
            yield Finding("warning", "not-found", dead[0][1], text)
