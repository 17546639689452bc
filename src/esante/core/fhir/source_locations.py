"""Where elements stand in JSON text, as line and column."""

import json
import re
from collections.abc import Generator
from operator import itemgetter

from esante.core.fhir.model import Path

_VISIBLE = re.compile(r"[^\n]")
_between = re.compile(r"[ \t\n\r,:]*").match
#: Passes over a value in C; numbers are left as they are, since Python refuses very long ones.
_pass_over = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode

#: Paths by their first step.
_Tree = dict[str | int, "_Tree"]


def places(data: bytes, wanted: set[Path]) -> dict[Path, tuple[int, int]]:
    """Line and column, from 1, of the elements at the wanted paths: of the name, or of the value in a list.

    Of a repeated name it is the first. `data` must be JSON that `jsontext.decode` has read. A path that is not there
    is left out, and makes this read to the end.
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
    """Where the elements at the wanted paths begin, in characters. Nothing is read behind the last of them."""
    tree: _Tree = {}
    for path in wanted:
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    start = _next(text, 0)
    found: dict[Path, int] = {(): start} if () in wanted else {}
    for path, offset in _located(text, start, tree, ()) if text[start] in "{[" else ():
        if path in wanted:
            found.setdefault(path, offset)
        if len(found) == len(wanted):
            break
    return found


def _located(text: str, start: int, tree: _Tree, path: Path) -> Generator[tuple[Path, int], None, int]:
    """What of `tree` is in the object or list at `start`, in the order of the text; returns where that ends.

    There may be a million values of which none is wanted, so as little as can be is done for one.
    """
    named = text[start] == "{"
    step: str | int = -1
    begin = at = _next(text, start + 1)
    while text[at] not in "}]":
        if named:
            step, at = _pass_over(text, begin)
            at = _next(text, at)
        elif isinstance(step, int):
            step += 1
        inner = tree.get(step)
        if inner is not None:
            yield (*path, step), begin
        if inner and text[at] in "{[":
            at = yield from _located(text, at, inner, (*path, step))
        else:
            _, at = _pass_over(text, at)
        begin = at = _next(text, at)
    return at + 1


def _next(text: str, at: int) -> int:
    """Where the next name, value or bracket begins."""
    found = _between(text, at)
    return found.end() if found else at
