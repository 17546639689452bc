"""Checks of narratives (FHIR R4, Narrative: constraints txt-1 and txt-2)."""

import html.entities
import re
from functools import lru_cache
from typing import Any

from lxml import etree

_XHTML = "{http://www.w3.org/1999/xhtml}"
#: The elements of HTML 4.0 chapters 7 to 11 (without section 4 of chapter 9) and 15, links and images.
_NAMES = (
    "a", "abbr", "acronym", "address", "b", "big", "blockquote", "br", "caption", "center", "cite", "code",
    "col", "colgroup", "dd", "dfn", "div", "dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
    "i", "img", "kbd", "li", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strike", "strong", "sub",
    "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var", "bdo", "dir", "menu",
)  # fmt: skip
_ELEMENTS = frozenset(_XHTML + name for name in _NAMES)
_XML = "{http://www.w3.org/XML/1998/namespace}"
#: None of these executes code; `style` is allowed.
_ATTRIBUTES = frozenset((
    f"{_XML}lang", f"{_XML}space",
    "abbr", "accesskey", "align", "alt", "axis", "bgcolor", "border", "cellhalign", "cellpadding",
    "cellspacing", "cellvalign", "char", "charoff", "charset", "cite", "class", "clear", "color", "colspan",
    "compact", "coords", "datetime", "dir", "face", "frame", "height", "headers", "href", "hreflang", "hspace",
    "id", "lang", "longdesc", "name", "noshade", "nowrap", "rel", "rev", "rowspan", "rules", "scope", "shape",
    "size", "span", "src", "start", "style", "summary", "tabindex", "title", "type", "valign", "value",
    "vspace", "width",
))  # fmt: skip
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_OF_XML = frozenset({"amp", "lt", "gt", "quot", "apos"})


def _character_references(match: re.Match[str]) -> str:
    found = html.entities.html5.get(f"{match[1]};") if match[1] not in _OF_XML else None
    return "".join(f"&#{ord(character)};" for character in found) if found else match[0]


def is_narrative(text: str) -> bool:
    """Return whether the text is a `div` of XHTML with basic formatting only (txt-1) that is not blank (txt-2)."""
    return has_only_basic_html(text) and has_content(text)


def has_only_basic_html(text: str) -> bool:
    """Return whether the text is a `div` of XHTML with basic formatting only (txt-1)."""
    return _check_narrative(text)[0]


def has_content(text: str) -> bool:
    """Return whether the text is a `div` of XHTML that is not blank (txt-2)."""
    return _check_narrative(text)[1]


@lru_cache(1)
def _check_narrative(text: str) -> tuple[bool, bool]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        div = etree.fromstring(_ENTITY.sub(_character_references, text).encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        return False, False
    if div.tag != f"{_XHTML}div" or div.getroottree().docinfo.doctype:
        return False, False
    image = next(div.iter(f"{_XHTML}img"), None) is not None
    return all(map(_is_allowed, div.iter())), image or bool("".join(div.itertext()).strip())


def _is_allowed(element: Any) -> bool:
    if isinstance(element, etree._Entity):
        return False
    # Comments and processing instructions have no name.
    if not isinstance(element.tag, str):
        return True
    return element.tag in _ELEMENTS and _ATTRIBUTES.issuperset(map(str, element.attrib))
