"""The main loop of the worker: it answers the requests on standard input until that ends.

A message in either direction is a length of four bytes and a JSON object, then a length of eight bytes and the
document or image (lengths are big-endian). A request names its `task`; an answer holds its `result`, or `refused`
([key, detail]) when the document cannot be accepted, or `unreadable` when it cannot be displayed.
"""

import json
import os
import resource
import sys
from typing import Any, BinaryIO

MEMORY = 1536 * 1024 * 1024
"""Bytes of address space."""
Answer = tuple[dict[str, Any], bytes]


def inspect(kind: str, data: bytes) -> Answer:
    """Return what the inspection of a document finds before it is accepted."""
    import inspection  # type: ignore[import-not-found] # a module of this folder, see __init__

    inspectors = {
        "pdf": inspection.inspect_pdf,
        "page_text": inspection.read_page_text,
        "cda": inspection.inspect_cda,
        "image": inspection.inspect_image,
    }
    try:
        return {"result": inspectors[kind](data)}, b""
    except inspection.Refused as refused:
        return {"refused": (refused.key, refused.detail)}, b""
    except (MemoryError, RecursionError):
        return {"refused": ("too-complex", "")}, b""


def render(task: str, data: bytes, number: int) -> Answer:
    """Return a preview of a document; `number` is that of a PDF page or of an embedded picture."""
    import cda  # type: ignore[import-not-found] # modules of this folder, see __init__
    import codes  # type: ignore[import-not-found]
    import immunizations  # type: ignore[import-not-found]
    import rendering  # type: ignore[import-not-found]

    try:
        match task:
            case "pdf_pages":
                return {"result": rendering.pdf_pages(data)}, b""
            case "page_image" | "cda_page_image":
                pdf = data if task == "page_image" else cda.embedded(data, 0)
                png = rendering.page_image(pdf, number) if pdf is not None else None
                return {"result": png is not None}, png or b""
            case "cda_immunizations":
                return {"result": immunizations.immunizations(data, cda.parse)}, b""
            case "codes":
                return {"result": codes.read_codes(data)}, b""
            case "image" | "cda_image":
                picture = data if task == "image" else cda.embedded(data, number)
                media_type, image = rendering.reencode_image(picture) if picture is not None else (None, b"")
                return {"result": media_type}, image
            case _:
                return {"result": _cda_view(data)}, b""
    except (rendering.Unreadable, cda.Unreadable, codes.Unreadable, MemoryError, RecursionError):
        return {"unreadable": True}, b""


def _cda_view(data: bytes) -> dict[str, Any]:
    """Return the view of a CDA document, with the pages of a PDF that is its body."""
    import cda
    import narrative  # type: ignore[import-not-found]
    import rendering

    view: dict[str, Any] = cda.view(data, narrative.Narrative)
    attachment = view["attachment"]
    if attachment and attachment["kind"] == "pdf":
        attachment["pages"] = rendering.pdf_pages(cda.embedded(data, 0))
    return view


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer one request after the other until the input ends."""
    while length := requests.read(4):
        request = json.loads(requests.read(int.from_bytes(length, "big")))
        data = requests.read(int.from_bytes(requests.read(8), "big"))
        if request["task"] == "inspect":
            head, body = inspect(request["kind"], data)
        else:
            head, body = render(request["task"], data, request["number"])
        text = json.dumps(head).encode()
        answers.write(len(text).to_bytes(4, "big") + text + len(body).to_bytes(8, "big") + body)
        answers.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not be mixed into the answers
    serve(sys.stdin.buffer, answers)
