"""Where elements stand in JSON text, as line and column."""

import json
import re
from operator import itemgetter
from typing import Any

from esante.fhir.model import Path

_VISIBLE = re.compile(r"[^\n]")
_BETWEEN = re.compile(r"[ \t\n\r,:]*")
#: Passes over a value in C; numbers are left as they are, since Python refuses very long ones.
_pass_over = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode

#: Paths by their first step.
_Tree = dict[str | int, "_Tree"]


def places(data: bytes, wanted: set[Path]) -> dict[Path, tuple[int, int]]:
    """Line and column, from 1, of the elements at the wanted paths: of the name, or of the value in a list.

    Of a repeated name it is the first. `data` must be JSON that `jsontext.decode` has read.
    """
    text = data.decode()
    found: dict[Path, tuple[int, int]] = {}
    line, line_feed, last = 1, -1, 0
    for path, offset in sorted(_offsets(text, wanted).items(), key=itemgetter(1)):
        line += text.count("\n", last, offset)
        line_feed = max(line_feed, text.rfind("\n", last, offset))
        last = offset
        found[path] = line, offset - line_feed
    return found


def cut_out(data: bytes, path: Path) -> bytes:
    """The value of the property at `path`, as it stands there, with white space before it: places in it are those in
    all of `data`."""
    text = data.decode()
    _, after_name = _pass_over(text, _offsets(text, {path})[path])
    start = _next(text, after_name)
    _, end = _pass_over(text, start)
    return (_VISIBLE.sub(" ", text[:start]) + text[start:end]).encode()


def _offsets(text: str, wanted: set[Path]) -> dict[Path, int]:
    """Where the elements at the wanted paths begin, in characters."""
    tree: Any = {}
    for path in wanted:
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    offsets: dict[Path, int] = {(): _next(text, 0)}
    _locate(text, offsets[()], tree, (), offsets)
    return {path: offset for path, offset in offsets.items() if path in wanted}


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
