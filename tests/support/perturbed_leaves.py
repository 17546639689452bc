"""Changes one leaf of a document at a time: what a loss report says of a leaf is compared with what becomes of it."""

import copy
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from lxml import etree

TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_STEP = re.compile(r"([^\[]+)(?:\[(\d+)\])?")


def find_xml(root: Any, place: str) -> tuple[Any, str]:
    """Return the element and the name of the leaf (an attribute, "#text" or "#tail") at a place of a report."""
    *steps, last = place[1:].split("/")
    if last.startswith("following-sibling"):
        name = "#tail"
    elif last.startswith("@"):
        name = TYPE if last == "@xsi:type" else last[1:]
    else:
        assert last == "text()", place
        name = "#text"
    at = root
    for step in steps[1:]:
        local, number = _STEP.fullmatch(step).groups()
        at = [one for one in at if etree.QName(one).localname == local][int(number or 1) - 1]
    return at, name


def change_xml(element: Any, name: str) -> None:
    """Change a leaf to another plausible value: a digit becomes another, a letter too."""
    if name == "#text":
        element.text = changed(element.text)
    elif name == "#tail":
        element.tail = changed(element.tail)
    else:
        key = next((one for one in element.attrib if one.rpartition("}")[2] == name or one == name), name)
        element.set(key, changed(element.get(key)))


def changed(text: str) -> str:
    """Return a text with its last letter or digit changed."""
    for index in range(len(text) - 1, -1, -1):
        char = text[index]
        if char.isdigit():
            return text[:index] + ("1" if char != "1" else "2") + text[index + 1 :]
        if char.isalpha():
            return text[:index] + ("q" if char != "q" else "z") + text[index + 1 :]
    return text + "q"


def xml_leaves(root: Any) -> Iterator[tuple[Any, str]]:
    """Yield every attribute and every text that is not blank, comments aside; tails in narratives only."""
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        yield from ((element, name) for name in element.attrib)
        if element.text and element.text.strip():
            yield element, "#text"
        if element.tail and element.tail.strip():
            yield element, "#tail"


def find_json(document: Any, place: str) -> tuple[Any, Any]:
    """Return the container and the key of a FHIRPath with indexes."""
    keys: list[Any] = []
    for step in place.split(".")[1:]:
        name, *indexes = step.replace("]", "").split("[")
        keys += [name, *(int(index) for index in indexes)]
    at = document
    for key in keys[:-1]:
        at = at[key]
    return at, keys[-1]


def change_json(document: Any, place: str) -> Any:
    """Return a copy of a document with one primitive changed."""
    found = copy.deepcopy(document)
    container, key = find_json(found, place)
    value = container[key]
    if isinstance(value, bool):
        container[key] = not value
    elif isinstance(value, int | float | Decimal):
        container[key] = value + 1
    elif key == "confidentiality":  # of a code that is none, normal is written
        container[key] = "R" if value != "R" else "V"
    else:
        container[key] = changed(value)
    return found
