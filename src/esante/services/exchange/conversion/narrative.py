"""The narrative of sections: the block of CDA R2 (4.3.5) and the XHTML of FHIR (Narrative), element by element.

Both are read by a parser that resolves nothing; every element and attribute that is written stands in a table here, so
that nothing active passes through. What has no counterpart loses its element and keeps its text.
"""

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from esante.services.exchange.cda import V3, Paths, local_name
from esante.services.exchange.conversion.datatypes import sub, xml_text
from esante.services.exchange.conversion.ledger import Fate, LeafFate

XHTML = "http://www.w3.org/1999/xhtml"
_TEXT = f"{{{V3}}}text"
_SECTION = f"{{{V3}}}section"
_SAFE_LINK = re.compile(r"(https?://|mailto:|tel:|#)\S*", re.IGNORECASE)
_TO_XHTML = {
    "content": "span",
    "paragraph": "p",
    "item": "li",
    "linkHtml": "a",
    "footnote": "span",
    **{
        name: name
        for name in ("table", "thead", "tbody", "tfoot", "tr", "td", "th", "colgroup", "col", "br", "sub", "sup")
    },
}
_ATTRIBUTES = {
    "ID": "id",
    "styleCode": "class",
    "language": "lang",
    **{
        name: name
        for name in (
            *("abbr", "align", "axis", "border", "cellpadding", "cellspacing", "char", "charoff", "colspan", "frame"),
            *("headers", "href", "name", "rowspan", "rules", "scope", "span", "summary", "title", "valign", "width"),
        )
    },
}
_CELLS = {"abbr", "align", "axis", "char", "charoff", "colspan", "headers", "rowspan", "scope", "valign"}
_FROM_XHTML = {
    "span": "content",
    "p": "paragraph",
    "pre": "paragraph",
    "blockquote": "paragraph",
    "ul": "list",
    "ol": "list",
    "dl": "list",
    "li": "item",
    "dt": "item",
    "dd": "item",
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "paragraph"),
    **dict.fromkeys(("b", "strong", "i", "em", "u", "small", "big", "code", "tt", "font"), "content"),
    **{name: name for name in ("table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption", "colgroup", "col")},
    **{name: name for name in ("br", "sub", "sup")},
}
_STYLES = {"b": "Bold", "strong": "Bold", "i": "Italics", "em": "Emphasis", "u": "Underline",
           **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "Bold")}  # fmt: skip
_BLOCKS = {"p", "pre", "blockquote", "ul", "ol", "dl", "table", "div", *(f"h{level}" for level in range(1, 7))}
_MOST_LEVELS = 100


class NarrativeIndex:
    """The texts of a document's narrative by the ID of their element."""

    def __init__(self, root: Any) -> None:
        self._found: dict[str, Any] = {}
        for block in root.iter(_TEXT):
            parent = block.getparent()
            if parent is not None and parent.tag == _SECTION:
                for element in block.iter():
                    identifier = element.get("ID")
                    if identifier is not None:
                        self._found.setdefault(identifier, element)

    def text_of(self, reference: str) -> str:
        """Return the text that a reference such as #a1 names, "" for none."""
        element = self._found.get(reference.strip().removeprefix("#"))
        return " ".join("".join(element.itertext()).split()) if element is not None else ""


def to_xhtml(block: Any) -> str | None:
    """Return a narrative block as the div of FHIR; None when it has no text."""
    if not "".join(block.itertext()).strip():
        return None
    div = etree.Element("div")
    _fill(block, div)
    body = etree.tostring(div, encoding="unicode")
    return f'<div xmlns="{XHTML}"{body[4:]}'


def _fill(source: Any, target: Any) -> None:
    _append(target, source.text)
    for child in source:
        name = local_name(child)
        tag = _tag(child, name)
        if tag:
            made = etree.SubElement(target, tag)
            for attribute, written in _attributes(child, tag):
                made.set(written, child.get(attribute))
            if tag not in ("br", "col"):
                _fill(child, made)
        elif name != "renderMultiMedia":
            _fill(child, target)
        _append(target, child.tail)


def _tag(element: Any, name: str) -> str:
    if name == "list":
        return "ol" if element.get("listType") == "ordered" else "ul"
    if name == "caption":
        return "caption" if local_name(element.getparent()) == "table" else "span"
    return _TO_XHTML.get(name, "")


def _attributes(element: Any, tag: str) -> Iterator[tuple[str, str]]:
    """Yield the attributes that are carried over, with their names in XHTML."""
    for name, value in element.attrib.items():
        written = _ATTRIBUTES.get(name)
        if written is None or not value.strip():
            continue
        if written == "href" and not (tag == "a" and _SAFE_LINK.fullmatch(value)):
            continue
        if written in ("border", "cellpadding", "cellspacing", "frame", "rules", "summary") and tag != "table":
            continue
        if written in _CELLS and tag not in ("td", "th", "tr", "thead", "tbody", "tfoot", "col", "colgroup"):
            continue
        yield name, written


def _append(element: Any, text: str | None) -> None:
    if not text:
        return
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def narrative_leaves(block: Any, paths: Paths, carried: bool) -> Iterator[LeafFate]:
    """Yield the fate of every leaf of a narrative block; `carried`: whether it has a text at all."""
    target = "Composition.section.text.div"
    for element in block.iter():
        name = local_name(element)
        tag = "div" if element is block else _tag(element, name)
        place = paths.of(element)
        written = {attribute for attribute, _ in _attributes(element, tag)} if tag and element is not block else set()
        lost = "no counterpart in XHTML"
        for attribute, value in element.attrib.items():
            local = attribute.rpartition("}")[2]
            where = f"{place}/@{local}"
            if carried and attribute in written:
                yield LeafFate(where, value, Fate.KEPT, target)
            elif carried and name == "list" and attribute == "listType":
                yield LeafFate(where, value, Fate.MERGED, target)
            else:
                yield LeafFate(where, value, Fate.DROPPED, "", lost)
        if element.text and element.text.strip():
            shown = carried and tag not in ("br", "col") and name != "renderMultiMedia"
            yield _text_leaf(f"{place}/text()", element.text, shown)
        if element is not block and element.tail and element.tail.strip():
            parent = local_name(element.getparent())
            shown = carried and parent not in ("br", "col", "renderMultiMedia")
            yield _text_leaf(f"{paths.of(element)}/following-sibling::text()[1]", element.tail, shown)


def _text_leaf(place: str, text: str, carried: bool) -> LeafFate:
    value = " ".join(text.split())
    if carried:
        return LeafFate(place, value, Fate.KEPT, "Composition.section.text.div")
    return LeafFate(place, value, Fate.DROPPED, "", "no counterpart in XHTML")


def from_xhtml(div: str, text: Any) -> bool:
    """Write the div of FHIR into the text of a section; False when it is no XHTML."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(div, parser)
    except (etree.XMLSyntaxError, ValueError):
        return False
    if root.getroottree().docinfo.doctype:
        return False
    _restore(root, text, 0)
    return True


def _restore(source: Any, target: Any, level: int) -> None:
    if level > _MOST_LEVELS:
        _append(target, xml_text("".join(source.itertext())))
        return
    _append(target, source.text)
    for child in source:
        name = local_name(child)
        tag = _FROM_XHTML.get(name, "")
        if name == "div" and not any(local_name(one) in _BLOCKS for one in child.iter() if one is not child):
            tag = "paragraph"
        if name == "a" and _SAFE_LINK.fullmatch(child.get("href", "")):
            tag = "linkHtml"
        if tag and not (tag == "paragraph" and local_name(target) in ("paragraph", "content")):
            _restore_element(child, name, sub(target, tag), level)
        elif name == "img":
            _append(target, child.get("alt"))
        elif name not in ("script", "style"):
            _restore(child, target, level + 1)
        _append(target, child.tail)


def _restore_element(source: Any, name: str, made: Any, level: int) -> None:
    names = {written: own for own, written in _ATTRIBUTES.items()}
    for attribute, value in source.attrib.items():
        own = names.get(attribute)
        if (
            own
            and not (own == "href" and local_name(made) != "linkHtml")
            and attribute in _KEPT.get(local_name(made), _ALL)
        ):
            made.set(own, value)
    if name in _STYLES:
        made.set("styleCode", " ".join(part for part in (_STYLES[name], source.get("class")) if part))
    if name == "ol":
        made.set("listType", "ordered")
    if name not in ("br", "col"):
        _restore(source, made, level + 1)


_ALL = {"id", "class", "lang"}
_TABLE = _ALL | {"border", "cellpadding", "cellspacing", "frame", "rules", "summary", "width"}
_KEPT = {
    "linkHtml": _ALL | {"href", "name", "title"},
    "table": _TABLE,
    "col": _ALL | {"align", "char", "charoff", "span", "valign", "width"},
    "colgroup": _ALL | {"align", "char", "charoff", "span", "valign", "width"},
    **dict.fromkeys(("td", "th"), _ALL | _CELLS),
    **dict.fromkeys(("tr", "thead", "tbody", "tfoot"), _ALL | {"align", "char", "charoff", "valign"}),
    "br": set(),
    "sub": set(),
    "sup": set(),
}
"""Attributes of XHTML that an element of CDA may have."""
