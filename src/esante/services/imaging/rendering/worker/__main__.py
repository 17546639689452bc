"""The main loop of the worker: it answers the requests on standard input until that ends.

The messages are those of the record's worker: a length of four bytes and a JSON object, then a length of eight bytes
and the bytes of a frame, a file or a picture (lengths are big-endian). A request names its `task`; an answer holds its
`result`, or `unreadable` with the reason.
"""

import json
import os
import resource
import sys
from typing import Any, BinaryIO

MEMORY = 2048 * 1024 * 1024
"""Bytes of address space."""
PROCESSOR = 3_600
"""Seconds of processor time in the life of the process."""


def answer(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the answer to a request on a frame or a file."""
    import pixels  # type: ignore[import-not-found] # a module of this folder

    tasks = {"render": pixels.render, "decode": pixels.decode, "transcode": pixels.transcode}
    try:
        return {"result": True}, tasks[request["task"]](request, data)
    except (MemoryError, RecursionError) as error:
        return {"unreadable": type(error).__name__}, b""
    except Exception as error:  # codecs raise whatever they like for bytes that they cannot read
        return {"unreadable": f"{type(error).__name__}: {error}"[:200]}, b""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer one request after the other until the input ends."""
    while length := requests.read(4):
        request = json.loads(requests.read(int.from_bytes(length, "big")))
        data = requests.read(int.from_bytes(requests.read(8), "big"))
        head, body = answer(request, data)
        text = json.dumps(head).encode()
        answers.write(len(text).to_bytes(4, "big") + text + len(body).to_bytes(8, "big") + body)
        answers.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not be mixed into the answers
    serve(sys.stdin.buffer, answers)
