"""The cells of tables in a CDA narrative: their alignment by columns, and their names for narrow screens."""

from typing import Any

from lxml import etree

MAX_SPAN = 100
"""Columns or rows that a cell may cover."""
_ALIGN = {"left", "right", "center", "justify"}


def squeeze(text: str) -> str:
    """Return a text with single blanks."""
    return " ".join(text.split())


def local_name(element: Any) -> str:
    """Return the name of an element without its namespace."""
    return str(etree.QName(element).localname)


def child_element(element: Any, name: str) -> Any:
    """Return the first child of a name; None when there is none."""
    return next((each for each in element if isinstance(each.tag, str) and local_name(each) == name), None)


def alignment(element: Any) -> list[str]:
    """Return the classes for how a cell, row or column is aligned."""
    found = [element.get("align", "")] if element.get("align", "") in _ALIGN else []
    vertical = element.get("valign", "")
    return [*found, f"v-{vertical}"] if vertical in ("middle", "bottom") else found


def column_alignments(table: Any) -> list[list[str]]:
    """Return the alignment classes of each column, from `col` and `colgroup`."""
    columns: list[list[str]] = []
    for each in table.iter():
        if not isinstance(each.tag, str) or local_name(each) not in ("col", "colgroup"):
            continue
        if local_name(each) == "colgroup" and child_element(each, "col") is not None:
            continue
        group = each.getparent() if local_name(each.getparent()) == "colgroup" else None
        classes = alignment(each) or (alignment(group) if group is not None else [])
        span = each.get("span", "1")
        count = int(span[:4]) if span.isascii() and span.isdigit() else 1
        columns += [classes] * min(max(count, 1), MAX_SPAN)
    return columns[: MAX_SPAN * 10]


def align_cells(table: Any, columns: list[list[str]]) -> None:
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


def name_cells(table: Any) -> None:
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
    labels = [squeeze("".join(cell.itertext()))[:100] for cell in head]
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
