"""Answers requests on standard input until it ends.

A message, either way, is four bytes of length and a JSON object, then eight bytes of length and the document or
picture. A request names its `task`; an answer holds its `result`, or `refused` ([key, detail]) when the document
cannot be taken in, or `unreadable` when it cannot be shown.
"""

import json
import os
import resource
import sys
from typing import Any, BinaryIO

MEMORY = 1536 * 1024 * 1024
Answer = tuple[dict[str, Any], bytes]


def look(kind: str, data: bytes) -> Answer:
    """What is found in a document before it is taken in."""
    import inspection  # type: ignore[import-not-found] # a module of this folder, see __init__

    looks = {"pdf": inspection.inspect_pdf, "cda": inspection.inspect_cda, "image": inspection.inspect_image}
    try:
        return {"result": looks[kind](data)}, b""
    except inspection.Refuse as refused:
        return {"refused": (refused.key, refused.detail)}, b""
    except (MemoryError, RecursionError):
        return {"refused": ("too-complex", "")}, b""


def show(task: str, data: bytes, number: int) -> Answer:
    """What is shown of a document."""
    import rendering  # type: ignore[import-not-found] # a module of this folder, see __init__

    try:
        match task:
            case "sheets":
                return {"result": rendering.sheets(data)}, b""
            case "sheet":
                png = rendering.sheet(data, number)
                return {"result": png is not None}, png or b""
            case "picture":
                media_type, picture = rendering.picture(data)
                return {"result": media_type}, picture
            case _:
                return {"result": rendering.sections(data)}, b""
    except (rendering.Unreadable, MemoryError, RecursionError):
        return {"unreadable": True}, b""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer one request after the other."""
    while length := requests.read(4):
        request = json.loads(requests.read(int.from_bytes(length, "big")))
        data = requests.read(int.from_bytes(requests.read(8), "big"))
        if request["task"] == "look":
            head, body = look(request["kind"], data)
        else:
            head, body = show(request["task"], data, request["number"])
        text = json.dumps(head).encode()
        answers.write(len(text).to_bytes(4, "big") + text + len(body).to_bytes(8, "big") + body)
        answers.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not stand among the answers
    serve(sys.stdin.buffer, answers)
