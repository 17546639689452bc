"""The light viewer: one picture of a stack, with links to the others (`templates/imaging/viewer.html`)."""

from collections.abc import Sequence
from typing import Any

import orjson
from starlette.requests import Request

from esante.core.time_zone import today
from esante.services.imaging.archive.stack import Stack
from esante.services.imaging.pages.windows import Window, windows_of

_MAX_STACK = 5_000
"""Pictures that the viewer goes through by itself; the pages go through all."""


def light_viewer(request: Request, stacks: Sequence[Stack], path: str) -> dict[str, Any]:
    """Return the variables of the viewer: the series, the picture and the window that the address names.

    `path`: that of the study, below which its pictures are.
    """
    query = request.query_params
    shown = [one for one in stacks if one.count]
    stack = next((one for one in shown if one.series.series_uid == query.get("series")), shown[0] if shown else None)
    if stack is None:
        return {"stack": None}
    text = query.get("at", "1")
    at = min(max(int(text), 1), stack.count) if text.isascii() and text.isdigit() and len(text) < 9 else 1
    windows: Sequence[Window] = windows_of(stack.series.modality, today())
    window = next((one for one in windows if one.key == query.get("window")), None)
    return {
        "stack": stack,
        "at": at,
        "windows": windows,
        "window": window,
        "picture": stack.url(path, at, window.parameter if window else ""),
        "picture_path": path,
        "picture_places": orjson.dumps(stack.pictures).decode() if stack.count <= _MAX_STACK else "",
    }
