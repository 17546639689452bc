"""The narrative block of a CDA R2 document (4.3.5), element by element, as HTML of plain structure.

Every attribute is written here, none of the document's passes through. What depends on the page is left as a marker,
`<span data-cda="media-1"></span>` for an embedded picture and `data-cda="note-KEY"` for a text (keys: `deleted`,
`inserted`, `end`, `link`, `footnote`, `picture`, `region`), which the page fills in. A document cannot write one: its
own attributes and tags are lost.
"""

import re
from collections.abc import Callable
from typing import Any

import nh3
from lxml import etree, html

MAX_SPAN = 100
"""Columns or rows that a cell may cover."""
MAX_ADDRESS = 300
"""Characters of the address of a link that are shown."""
H = "{urn:hl7-org:v3}"
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_SHOWN_ADDRESS = re.compile(r"(https?://|mailto:|tel:)\S+", re.IGNORECASE)

_STYLES = {"Bold": "strong", "Italics": "i", "Emphasis": "em", "Underline": "u"}
"""Style codes of CDA R2, table 15, and their elements in running text; codes of a producer's own are left out."""
_CLASSES = {
    "Bold": "bold",
    "Italics": "italics",
    "Emphasis": "italics",
    "Underline": "underline",
    "Lrule": "rule-left",
    "Rrule": "rule-right",
    "Toprule": "rule-top",
    "Botrule": "rule-bottom",
    "Disc": "disc",
    "Circle": "circle",
    "Square": "square",
}
_NUMBERING = {"Arabic": "1", "LittleRoman": "i", "BigRoman": "I", "LittleAlpha": "a", "BigAlpha": "A"}
_ALIGN = {"left", "right", "center", "justify"}
_SCOPES = {"row", "col", "rowgroup", "colgroup"}
_BLOCKS = {"paragraph", "list", "table", "renderMultiMedia"}
_SAME = ("sub", "sup", "thead", "tbody", "tfoot", "tr", "pre")
_ALLOWED = {
    *("a", "br", "caption", "del", "div", "em", "figcaption", "figure", "i", "ins", "li", "ol", "p", "pre", "span"),
    *("strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul"),
}
_ATTRIBUTES = {
    "*": {"class", "id", "lang"},
    "a": {"href"},
    "ol": {"type"},
    "span": {"data-cda"},
    "table": {"aria-label"},
    "td": {"colspan", "data-label", "rowspan"},
    "th": {"abbr", "colspan", "rowspan", "scope"},
}


class Narrative:
    """Converts the narrative blocks of a document; footnotes, pictures and targets of links are those of all of it.

    `is_picture` tells whether an ED value is one that can be shown.
    """

    def __init__(self, root: Any, is_picture: Callable[[Any], bool]) -> None:
        self._is_picture = is_picture
        blocks = list(root.iterfind(f".//{H}section/{H}text"))
        every = [element for block in blocks for element in block.iter() if isinstance(element.tag, str)]
        notes = [element for element in every if _local(element) == "footnote"]
        self._notes = {note: number for number, note in enumerate(notes, 1)}
        self._note_numbers = {note.get("ID"): number for note, number in self._notes.items() if note.get("ID")}
        self._objects = {
            element.get("ID"): element
            for element in root.iter(f"{H}observationMedia", f"{H}regionOfInterest")
            if element.get("ID")
        }
        self._media = {element: number for number, element in enumerate(root.iter(f"{H}observationMedia"), 1)}
        linked = {e.get("href", "")[1:] for e in every if _local(e) == "linkHtml" and e.get("href", "")[:1] == "#"}
        targets = [e for e in (*every, *root.iter(f"{H}section")) if e.get("ID") in linked]
        self._anchors = {element.get("ID"): f"cda-{number}" for number, element in enumerate(targets, 1)}
        self._pending: list[Any] = []
        self._writers: dict[str, Callable[[Any, Any], None]] = {
            "content": self._content,
            "linkHtml": self._link,
            "br": self._break,
            "footnote": self._footnote,
            "footnoteRef": self._footnote_reference,
            "renderMultiMedia": self._multimedia,
            "paragraph": self._paragraph,
            "p": self._paragraph,
            "list": self._list,
            "ul": self._list,
            "ol": self._list,
            "table": self._table,
            "th": self._cell,
            "td": self._cell,
            "caption": self._inline_caption,
            "colgroup": self._nothing,
            "col": self._nothing,
            **dict.fromkeys(_SAME, self._same),
        }

    def anchor(self, element: Any) -> str:
        """Return the id of an element that a link of the document points to, else ""."""
        return self._anchors.get(element.get("ID"), "")

    def convert(self, text: Any) -> str:
        """Return a narrative block as HTML; "" when there is nothing to see."""
        block = etree.Element("div")
        self._describe(text, block)
        self._fill(text, block)
        if self._pending:
            self._write_footnotes(block)
        raw = etree.tostring(block, encoding="unicode", method="html", with_tail=False)
        clean = nh3.clean(raw, tags=_ALLOWED, attributes=_ATTRIBUTES, link_rel=None, url_schemes=set())
        return clean if "data-cda" in clean or html.fromstring(clean).text_content().strip() else ""

    def _fill(self, source: Any, target: Any) -> None:
        """Append the content of a narrative element to one of HTML."""
        _append_text(target, source.text)
        for child in source:
            if isinstance(child.tag, str):
                self._writers.get(_local(child), self._unknown)(child, target)
            _append_text(target, child.tail)

    def _describe(self, source: Any, target: Any, *classes: str) -> None:
        """Give an element the language, the id and the styles of its source."""
        found = [*classes, *(_CLASSES[code] for code in _style_codes(source) if code in _CLASSES)]
        if found:
            target.set("class", " ".join(dict.fromkeys(found)))
        if language := _language(source):
            target.set("lang", language)
        if anchor := self.anchor(source):
            target.set("id", anchor)

    def _block(self, source: Any, target: Any, tag: str, *classes: str) -> Any:
        made = etree.SubElement(target, tag)
        self._describe(source, made, *classes)
        return made

    def _same(self, source: Any, target: Any) -> None:
        self._fill(source, self._block(source, target, _local(source)))

    def _unknown(self, source: Any, target: Any) -> None:
        """Write the text of an element that the narrative block does not have."""
        self._fill(source, etree.SubElement(target, "span"))

    def _nothing(self, source: Any, target: Any) -> None:
        """Write nothing: the alignment of a column is in its cells."""

    def _content(self, source: Any, target: Any) -> None:
        """Write content with its styles; deleted and inserted text is marked (CDA R2, 4.3.5.1, "revised")."""
        revised = {"delete": "deleted", "insert": "inserted"}.get(source.get("revised", ""), "")
        if revised:
            target = etree.SubElement(target, "del" if revised == "deleted" else "ins")
            _note(target, revised)
        inner = target
        for tag in dict.fromkeys(_STYLES[code] for code in _style_codes(source) if code in _STYLES):
            inner = etree.SubElement(inner, tag)
        if _language(source) or self.anchor(source):
            inner = etree.SubElement(inner, "span")
            inner.attrib.update(
                {name: value for name, value in (("lang", _language(source)), ("id", self.anchor(source))) if value}
            )
        if inner is target and not revised:
            self._fill(source, target)
            return
        self._fill(source, inner)
        if revised:
            _note(target, "end")

    def _link(self, source: Any, target: Any) -> None:
        """Write a link inside the document; of another the address as text, which a reader can judge before going."""
        address = source.get("href", "").strip()
        if address[:1] == "#" and address[1:] in self._anchors:
            link = self._block(source, target, "a")
            link.set("href", f"#{self._anchors[address[1:]]}")
            self._fill(source, link)
            return
        self._fill(source, self._block(source, target, "span"))
        words = _squeeze("".join(source.itertext()))
        if _SHOWN_ADDRESS.fullmatch(address) and len(address) <= MAX_ADDRESS:
            if address not in words:
                shown = etree.SubElement(target, "span")
                shown.set("class", "address")
                shown.text = f" ({address})" if words else address
        elif address:
            _note(target, "link")

    def _break(self, source: Any, target: Any) -> None:
        etree.SubElement(target, "br")

    def _footnote(self, source: Any, target: Any) -> None:
        """Write the number of a footnote; its text follows at the end of the block (CDA R2, 4.3.5.4)."""
        self._pending.append(source)
        self._write_number(self._notes[source], target)

    def _footnote_reference(self, source: Any, target: Any) -> None:
        number = self._note_numbers.get(source.get("IDREF"))
        if number is None:
            _note(target, "footnote")
        else:
            self._write_number(number, target)

    def _write_number(self, number: int, target: Any) -> None:
        link = etree.SubElement(etree.SubElement(target, "sup"), "a")
        link.set("href", f"#cda-note-{number}")
        link.text = f"[{number}]"

    def _write_footnotes(self, block: Any) -> None:
        listed = etree.SubElement(block, "div")
        listed.set("class", "footnotes")
        while self._pending:  # a footnote may hold another
            source = self._pending.pop(0)
            note = self._block(source, listed, "div", "footnote")
            note.set("id", f"cda-note-{self._notes[source]}")
            etree.SubElement(note, "sup").text = f"[{self._notes[source]}]"
            _append_text(note, " ")
            self._fill(source, note)

    def _multimedia(self, source: Any, target: Any) -> None:
        """Write the pictures that are meant, embedded ones as markers, others as a note (CDA R2, 4.3.5.6)."""
        figure = self._block(source, target, "figure")
        for name in source.get("referencedObject", "").split() or [""]:
            found = self._objects.get(name)
            media = next(found.iter(f"{H}observationMedia"), None) if found is not None else None
            value = media.find(f"{H}value") if media is not None else None
            if media is None or not self._is_picture(value):
                _note(figure, "picture")
                continue
            _mark(figure, f"media-{self._media[media]}")
            if found is not media:
                _note(figure, "region")
        caption = _child(source, "caption")
        if caption is not None:
            self._fill(caption, self._block(caption, figure, "figcaption"))

    def _paragraph(self, source: Any, target: Any) -> None:
        """Write a paragraph; one with a picture or another block in it is no HTML paragraph."""
        holds_block = any(_local(each) in _BLOCKS for each in source.iterdescendants() if isinstance(each.tag, str))
        self._fill(source, self._block(source, target, "div" if holds_block else "p"))

    def _inline_caption(self, source: Any, target: Any) -> None:
        """Write the caption of a paragraph or item in front of its text."""
        title = self._block(source, target, "strong", "caption")
        self._fill(source, title)
        if not "".join(title.itertext()).rstrip().endswith((":", ".", "?", "!")):
            _append_text(title, ":")
        _append_text(target, " ")

    def _list(self, source: Any, target: Any) -> None:
        """Write a list with its caption above it, and its kind of numbers or marks (CDA R2, 4.3.5.7)."""
        caption = _child(source, "caption")
        if caption is not None:
            target = etree.SubElement(target, "div")
            title = etree.SubElement(self._block(caption, target, "p", "list-caption"), "strong")
            self._fill(caption, title)
        ordered = source.get("listType") == "ordered" or _local(source) == "ol"
        made = self._block(source, target, "ol" if ordered else "ul")
        for code in _style_codes(source):
            if ordered and code in _NUMBERING:
                made.set("type", _NUMBERING[code])
        for child in source:
            if isinstance(child.tag, str) and child is not caption:
                self._fill(child, self._block(child, made, "li"))

    def _table(self, source: Any, target: Any) -> None:
        """Write a table: its caption, then the rows; columns align their cells (CDA R2, 4.3.5.8)."""
        table = self._block(source, target, "table")
        if summary := _squeeze(source.get("summary", ""))[:300]:
            table.set("aria-label", summary)
        caption = _child(source, "caption")
        if caption is not None:
            self._fill(caption, self._block(caption, table, "caption"))
        for child in source:
            if isinstance(child.tag, str) and child is not caption:
                self._writers.get(_local(child), self._unknown)(child, table)
        columns = _column_alignments(source)
        if any(columns):
            _align_cells(table, columns)
        _name_cells(table)

    def _cell(self, source: Any, target: Any) -> None:
        cell = self._block(source, target, _local(source), *_alignment(source))
        for name in ("colspan", "rowspan"):
            span = source.get(name, "")
            if span.isascii() and span.isdigit() and int(span[:4]) > 1:
                cell.set(name, str(min(int(span[:4]), MAX_SPAN)))
        if _local(source) == "th":
            row = source.getparent()
            head = _local(row.getparent()) == "thead" or all(_local(each) == "th" for each in row.iterchildren("{*}*"))
            scope = source.get("scope", "")
            cell.set("scope", scope if scope in _SCOPES else "col" if head else "row")
            if short := _squeeze(source.get("abbr", ""))[:100]:
                cell.set("abbr", short)
        self._fill(source, cell)


def _language(element: Any) -> str:
    """Return the language of an element; "" when it is that of its surroundings."""
    found = element.get("language", "")
    return found if _LANGUAGE.fullmatch(found) else ""


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def _local(element: Any) -> str:
    return str(etree.QName(element).localname)


def _child(element: Any, name: str) -> Any:
    return next((each for each in element if isinstance(each.tag, str) and _local(each) == name), None)


def _style_codes(element: Any) -> list[str]:
    return list(element.get("styleCode", "").split())


def _append_text(target: Any, text: str | None) -> None:
    if not text:
        return
    if len(target):
        target[-1].tail = (target[-1].tail or "") + text
    else:
        target.text = (target.text or "") + text


def _mark(target: Any, marker: str) -> None:
    etree.SubElement(target, "span").set("data-cda", marker)


def _note(target: Any, key: str) -> None:
    _mark(target, f"note-{key}")


def _alignment(element: Any) -> list[str]:
    """Return the classes for how a cell, row or column is aligned."""
    found = [element.get("align", "")] if element.get("align", "") in _ALIGN else []
    vertical = element.get("valign", "")
    return [*found, f"v-{vertical}"] if vertical in ("middle", "bottom") else found


def _column_alignments(table: Any) -> list[list[str]]:
    """Return the alignment classes of each column, from `col` and `colgroup`."""
    columns: list[list[str]] = []
    for each in table.iter():
        if not isinstance(each.tag, str) or _local(each) not in ("col", "colgroup"):
            continue
        if _local(each) == "colgroup" and _child(each, "col") is not None:
            continue
        group = each.getparent() if _local(each.getparent()) == "colgroup" else None
        classes = _alignment(each) or (_alignment(group) if group is not None else [])
        span = each.get("span", "1")
        count = int(span[:4]) if span.isascii() and span.isdigit() else 1
        columns += [classes] * min(max(count, 1), MAX_SPAN)
    return columns[: MAX_SPAN * 10]


def _align_cells(table: Any, columns: list[list[str]]) -> None:
    """Give cells without an alignment that of their column, counting the cells that reach in from above."""
    for group in table:
        covered: dict[int, int] = {}
        for row in group.iter("tr"):
            column = 0
            for cell in row:
                if cell.tag not in ("td", "th"):
                    continue
                while covered.get(column, 0) > 0:
                    covered[column] -= 1
                    column += 1
                width, height = int(cell.get("colspan", "1")), int(cell.get("rowspan", "1"))
                present = set(cell.get("class", "").split())
                if column < len(columns) and columns[column] and not present & _ALIGN:
                    cell.set("class", " ".join([*cell.get("class", "").split(), *columns[column]]))
                if height > 1:
                    covered |= dict.fromkeys(range(column, column + width), height - 1)
                column += width
            while covered.get(column, 0) > 0:
                covered[column] -= 1
                column += 1


def _name_cells(table: Any) -> None:
    """Give the cells of a plain table their header, so that a phone shows each row as a card."""
    rows = list(table.iter("tr"))
    if len(rows) < 2 or next(table.iterdescendants("table"), None) is not None:
        return
    head, *body = rows
    widths = {len(row) for row in rows}
    spans = any(cell.get("colspan") or cell.get("rowspan") for row in rows for cell in row)
    heads = any(cell.tag == "th" for row in body for cell in list(row)[1:])
    if spans or heads or len(widths) != 1 or len(head) == 0 or any(cell.tag != "th" for cell in head):
        return
    if head.getparent().tag != "thead":
        heading = etree.Element("thead")
        table.insert(1 if table[0].tag == "caption" else 0, heading)
        heading.append(head)
    table.set("class", " ".join([*table.get("class", "").split(), "cards"]))
    labels = [_squeeze("".join(cell.itertext()))[:100] for cell in head]
    for row in body:
        for label, cell in zip(labels, row, strict=True):
            if cell.tag == "td":
                cell.set("data-label", label)
                content = etree.Element("div")
                content.text, cell.text = cell.text, None
                content.extend(list(cell))
                # A cell without anything is left out of a card.
                if len(content) or (content.text or "").strip():
                    cell.append(content)
