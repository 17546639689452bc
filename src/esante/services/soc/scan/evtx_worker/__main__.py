"""Write the records of an EVTX file, given on standard input: lines of `=` and a record in JSON, or `!` and a fault.

A process of its own with bounds on memory and processor time, since the file may be made to harm the parser.
"""

import os
import resource
import sys
from typing import Any

MEMORY = 2 << 30
"""Bytes of address space."""
PROCESSOR = 600
"""Seconds of processor time for one file."""
HEADER, CHUNK = 4_096, 65_536
"""Bytes of the header of a file and of a chunk of records."""
MAX_BROKEN = 1_000
"""Records that cannot be read, after which the rest is not tried."""


def main() -> None:
    """Read the file and write its records."""
    from evtx import PyEvtxParser  # after the bounds were set

    output, broken = sys.stdout.buffer, 0
    try:
        if fault := _cut_off():
            output.write(b"!" + _line(fault))
        records = PyEvtxParser(open(0, "rb", closefd=False), 1).records_json()  # noqa: SIM115
        while broken < MAX_BROKEN:
            try:
                record: Any = next(records)
            except StopIteration:
                return
            except (RuntimeError, OSError, ValueError) as error:
                broken += 1
                output.write(b"!" + _line(str(error)))
            else:
                output.write(b"=" + record["data"].replace("\n", " ").encode() + b"\n")
        output.write(b"!" + _line("more than 1,000 records are broken"))
    except Exception as error:  # the parser raises whatever it likes
        output.write(b"!" + _line(f"{type(error).__name__}: {error}"))


def _cut_off() -> str:
    """Return what is missing of the chunks that the header of the file counts; "" when nothing is."""
    chunks, size = int.from_bytes(os.pread(0, 2, 42), "little"), os.fstat(0).st_size
    if HEADER <= size < HEADER + chunks * CHUNK:
        return "the file is cut off"
    return "its header counts nothing" if size > HEADER and not chunks else ""


def _line(text: str) -> bytes:
    return " ".join(text.split())[:200].encode() + b"\n"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    main()
