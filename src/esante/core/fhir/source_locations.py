"""Line and column of elements in JSON text."""

import json
import re
from collections.abc import Generator
from operator import itemgetter

from esante.core.fhir.model import ElementPath

_NOT_LINE_FEED = re.compile(r"[^\n]")
_match_separators = re.compile(r"[ \t\n\r,:]*").match
#: Skips a value in C; numbers stay texts, since Python refuses to convert very long ones.
_skip_value = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode

_Tree = dict[str | int, "_Tree"]
"""Paths by their first step."""


def locate(data: bytes, paths: set[ElementPath]) -> dict[ElementPath, tuple[int, int]]:
    """Return line and column, from 1, of the elements at `paths`: of the name, or of the value in a list.

    Of a repeated name the first one counts. `data` must be JSON that `json_codec.decode` accepts. A path that does not
    exist is left out, and makes this read to the end.
    """
    text = data.decode()
    found: dict[ElementPath, tuple[int, int]] = {}
    line, line_feed, last = 1, -1, 0
    for path, offset in sorted(_offsets(text, paths).items(), key=itemgetter(1)):
        line += text.count("\n", last, offset)
        line_feed = max(line_feed, text.rfind("\n", last, offset))
        last = offset
        found[path] = line, offset - line_feed
    return found


def extract_value(data: bytes, path: ElementPath) -> bytes:
    """Return the text of the property at `path`, preceded by white space so that lines and columns in it are those in
    `data`."""
    text = data.decode()
    _, after_name = _skip_value(text, _offsets(text, {path})[path])
    start = _next_token(text, after_name)
    _, end = _skip_value(text, start)
    return (_NOT_LINE_FEED.sub(" ", text[:start]) + text[start:end]).encode()


def _offsets(text: str, paths: set[ElementPath]) -> dict[ElementPath, int]:
    """Return the offsets, in characters, at which the elements begin. Nothing behind the last of them is read."""
    tree: _Tree = {}
    for path in paths:
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    start = _next_token(text, 0)
    found: dict[ElementPath, int] = {(): start} if () in paths else {}
    for path, offset in _search(text, start, tree, ()) if text[start] in "{[" else ():
        if path in paths:
            found.setdefault(path, offset)
        if len(found) == len(paths):
            break
    return found


def _search(text: str, start: int, tree: _Tree, path: ElementPath) -> Generator[tuple[ElementPath, int], None, int]:
    """Yield what of `tree` is in the object or list at `start`, in the order of the text; return its end.

    There may be a million values of which none is in `tree`, so as little as possible is done for each.
    """
    is_object = text[start] == "{"
    step: str | int = -1
    begin = at = _next_token(text, start + 1)
    while text[at] not in "}]":
        if is_object:
            step, at = _skip_value(text, begin)
            at = _next_token(text, at)
        elif isinstance(step, int):
            step += 1
        inner = tree.get(step)
        if inner is not None:
            yield (*path, step), begin
        if inner and text[at] in "{[":
            at = yield from _search(text, at, inner, (*path, step))
        else:
            _, at = _skip_value(text, at)
        begin = at = _next_token(text, at)
    return at + 1


def _next_token(text: str, at: int) -> int:
    """Return the offset of the next name, value or bracket."""
    found = _match_separators(text, at)
    return found.end() if found else at
