"""Where elements stand in JSON text, as line and column."""

import json
import re
from typing import Any

from esante.fhir.jsontext import line_and_column
from esante.fhir.model import Path

_BETWEEN = re.compile(r"[ \t\n\r,:]*")
#: Passes over a value in C; numbers are left as they are, since Python refuses very long ones.
_pass_over = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode

#: Paths by their first step.
_Tree = dict[str | int, "_Tree"]


def places(data: bytes, wanted: set[Path]) -> dict[Path, tuple[int, int]]:
    """Line and column, from 1, of the elements at the wanted paths: of the name, or of the value in a list.

    Of a repeated name it is the first. `data` must be JSON that `jsontext.decode` has read.
    """
    tree: Any = {}
    for path in wanted:
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    text = data.decode()
    offsets: dict[Path, int] = {(): _next(text, 0)}
    _locate(text, offsets[()], tree, (), offsets)
    return {path: line_and_column(text, offset) for path, offset in offsets.items() if path in wanted}


def _locate(text: str, start: int, tree: _Tree, path: Path, offsets: dict[Path, int]) -> int:
    """Note where the paths of `tree` begin in the value at `start`; returns where it ends."""
    if not tree or text[start] not in "{[":
        return _pass_over(text, start)[1]
    named = text[start] == "{"
    at, index = _next(text, start + 1), 0
    while text[at] not in "}]":
        step: str | int = index
        begin = at
        if named:
            step, at = _pass_over(text, at)
            at = _next(text, at)
        here = (*path, step)
        inner = tree.get(step)
        if inner is not None:
            offsets.setdefault(here, begin)
        at = _next(text, _locate(text, at, inner or {}, here, offsets))
        index += 1
    return at + 1


def _next(text: str, at: int) -> int:
    """Where the next name, value or bracket begins."""
    found = _BETWEEN.match(text, at)
    return found.end() if found else at
