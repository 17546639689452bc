"""Reading the XML of supporting data: elements whose text is a word, a number, a date or a duration, or is absent.

An empty element and the text "n/a" are both absent. What cannot be read is an error that names file and line.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from lxml import etree

from esante.services.vaccination.forecast.durations import Duration, parse_duration
from esante.services.vaccination.forecast.rules.errors import RulesError

T = TypeVar("T")
_LARGEST = 30_000_000
"""Bytes; the largest published file has half a million."""


def read_xml(path: Path, root: str) -> "Node":
    """Return the root element of a file.

    Document types, entities and references to other files are refused. Raises: RulesError.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise RulesError(path, None, f"is larger than {_LARGEST // 1_000_000} MB")
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
        )
        tree = etree.parse(str(path), parser)
    except OSError as error:
        raise RulesError(path, None, "cannot be read") from error
    except etree.XMLSyntaxError as error:
        raise RulesError(path, error.lineno, f"is no well-formed XML ({error.msg})") from error
    if tree.docinfo.doctype:
        raise RulesError(path, 1, "has a document type, which supporting data have not")
    node = Node(path, tree.getroot())
    if node.tag != root:
        raise RulesError(path, 1, f"is <{node.tag}> and not <{root}>")
    return node


class Node:
    """An element of a file."""

    __slots__ = ("_element", "_file")

    def __init__(self, file: Path, element: Any) -> None:
        self._file, self._element = file, element

    @property
    def tag(self) -> str:
        """The name of the element."""
        return str(self._element.tag)

    @property
    def line(self) -> int:
        """The line on which the element begins."""
        return int(self._element.sourceline)

    def error(self, what: str) -> RulesError:
        """Return an error about this element."""
        return RulesError(self._file, self.line, what)

    def children(self, *path: str) -> Iterator["Node"]:
        """Yield the elements at a path that hold something; empty ones are placeholders."""
        for element in self._element.iterfind("/".join(path)):
            if any(_text_of(part) for part in element.iter()):
                yield Node(self._file, element)

    def child(self, tag: str) -> "Node":
        """Return the one element with a tag. Raises: RulesError when it is absent."""
        element = self._element.find(tag)
        if element is None:
            raise self.error(f"<{self.tag}> has no <{tag}>")
        return Node(self._file, element)

    def text(self, tag: str) -> str:
        """Return the text of the child with a tag; empty when it is absent."""
        element = self._element.find(tag)
        return "" if element is None else _text_of(element)

    def texts(self, tag: str) -> tuple[str, ...]:
        """Return the texts of all children with a tag that have one."""
        return tuple(text for text in map(_text_of, self._element.iterfind(tag)) if text)

    def required(self, tag: str) -> str:
        """Return the text of the child with a tag. Raises: RulesError when it is absent."""
        text = self.text(tag)
        if not text:
            raise self.error(f"<{self.tag}> has no {tag}")
        return text

    def word(self, tag: str, meanings: Mapping[str, T], default: T | None = None) -> T:
        """Return what the text of a child means, whatever its case. Raises: RulesError for another word."""
        text = self.text(tag)
        if not text and default is not None:
            return default
        try:
            return meanings[text.lower()]
        except KeyError:
            raise self.error(f'{tag} is "{text}" and none of {", ".join(meanings)}') from None

    def number(self, tag: str, default: int | None = None) -> int:
        """Return the whole number in a child."""
        return self._parsed(tag, _whole_number, default)

    def amount(self, tag: str) -> float | None:
        """Return the decimal number in a child, or None."""
        return self._parsed(tag, float) if self.text(tag) else None

    def cvx(self, tag: str = "cvx") -> int:
        """Return the CVX code in a child; leading zeros mean nothing."""
        return self._parsed(tag, _whole_number)

    def day(self, tag: str, default: int) -> int:
        """Return the day in a child (YYYYMMDD or MM/DD/YYYY)."""
        return self._parsed(tag, _day, default)

    def duration(self, tag: str) -> Duration | None:
        """Return the duration in a child, or None."""
        return self._parsed(tag, parse_duration) if self.text(tag) else None

    def cvx_list(self, tag: str) -> frozenset[int]:
        """Return the CVX codes in a child, separated by semicolons."""
        return self._parsed(tag, _cvx_list, frozenset())

    def _parsed(self, tag: str, parse: Callable[[str], T], default: T | None = None) -> T:
        text = self.text(tag)
        if not text and default is not None:
            return default
        try:
            return parse(text)
        except ValueError as error:
            raise self.error(f'{tag} is "{text}": {error}') from None


def _text_of(element: Any) -> str:
    text = (element.text or "").strip()
    return "" if text.lower() == "n/a" else text


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("no whole number")
    return int(text)


def _cvx_list(text: str) -> frozenset[int]:
    return frozenset(_whole_number(part.strip()) for part in text.split(";") if part.strip())


def _day(text: str) -> int:
    form = "%m/%d/%Y" if "/" in text else "%Y%m%d"
    return datetime.strptime(text, form).date().toordinal()  # noqa: DTZ007
