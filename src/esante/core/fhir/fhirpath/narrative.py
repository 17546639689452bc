"""Checks of narratives (FHIR R4, Narrative: its text, and the constraints txt-1 and txt-2), and the links in them."""

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
#: XML without declarations of its own has five named entities, and numbers of characters.
_FOREIGN_ENTITY = re.compile("&(?!(?:amp|lt|gt|quot|apos);|#)")
_DECLARATION = re.compile(r"\s*<\?xml\s")
_UNKNOWN_ENTITY = (etree.ErrorTypes.ERR_UNDECLARED_ENTITY, etree.ErrorTypes.WAR_UNDECLARED_ENTITY)


def has_only_xml_entities(text: str) -> bool:
    """Return True only if the text has no named entity of HTML.

    It may deny a text without them (a comment, CDATA), never accept one with them.
    """
    return _FOREIGN_ENTITY.search(text) is None


def find_markup_fault(text: str) -> str | None:
    """Return what of HTML or of an XML document a narrative has that a fragment of XML cannot have; None for nothing.

    An XML reader cannot read it. A text that is not well-formed for other reasons breaks txt-1.
    """
    if text >= "<div" and has_only_xml_entities(text):
        return None
    if _DECLARATION.match(text):
        return "an XML declaration. Begin with the div element"
    try:
        div = _parse(text)
    except etree.XMLSyntaxError as error:
        return "a named entity such as &nbsp;. Write the character itself" if error.code in _UNKNOWN_ENTITY else None
    except ValueError:
        return None
    return "a DOCTYPE. Begin with the div element" if div.getroottree().docinfo.doctype else None


def find_links(text: str) -> list[str]:
    """Return the addresses of the links and images in a narrative; none if it is not well-formed."""
    try:
        div = _parse(text)
    except (etree.XMLSyntaxError, ValueError):
        return []
    return [str(each.get(name)) for each in div.iter() for name in ("href", "src") if each.get(name) is not None]


def find_anchors(text: str) -> set[str]:
    """Return the ids and names to which links may lead in a narrative; none if it is not well-formed."""
    try:
        div = _parse(text)
    except (etree.XMLSyntaxError, ValueError):
        return set()
    return {str(each.get(name)) for each in div.iter() for name in ("id", "name") if each.get(name) is not None}


def _parse(text: str) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    return etree.fromstring(text.encode(), parser)


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
    try:
        div = _parse(text)
    except (etree.XMLSyntaxError, ValueError):
        return False, False
    if div.tag != f"{_XHTML}div" or div.getroottree().docinfo.doctype or _DECLARATION.match(text):
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
