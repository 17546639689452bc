"""Events of Windows event logs (EVTX), parsed in a process of their own."""

import io
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson

from esante.services.soc.scan.bounds import MAX_LINE, Unreadable
from esante.services.soc.scan.json_events import Event, Report

SILENCE = 60.0
"""Seconds without a record, after which the process is killed."""
_PROGRAM = Path(__file__).with_name("evtx_worker")
_REMEDY = "export the log again"


def read_evtx(file: io.BufferedReader, report: Report) -> Iterator[Event]:
    """Yield the events of an EVTX file, which must be a real one of the file system.

    Raises: `Unreadable` when the parser fails, stalls or takes too much.
    """
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    command = [sys.executable, "-I", str(_PROGRAM)]
    worker = subprocess.Popen(  # noqa: S603
        command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
    )
    assert worker.stdout is not None
    number = 0
    try:
        for number, line in enumerate(_lines(worker.stdout.fileno()), 1):
            if line.startswith(b"="):
                yield orjson.loads(line[1:])
            else:
                report(f"record {number}", f"cannot be read ({line[1:].decode('utf-8', 'replace')})", _REMEDY)
        if worker.wait(SILENCE) != 0:
            raise Unreadable("made the parser fail, or needs too much memory or time", _REMEDY, f"record {number + 1}")
    except orjson.JSONDecodeError as error:
        raise Unreadable("holds a record that is nested too deep", _REMEDY, f"record {number}") from error
    finally:
        worker.kill()
        worker.stdout.close()
        worker.wait()


def _lines(output: int) -> Iterator[bytes]:
    """Yield the lines of a pipe. Raises: `Unreadable` when none comes for a while, or one has no end."""
    pending: list[bytes] = []
    size = 0
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            if not selector.select(SILENCE):
                raise Unreadable(f"gave no record for {SILENCE:.0f} s", _REMEDY)
            data = os.read(output, 1 << 20)
            if not data:
                return
            *whole, rest = data.split(b"\n")
            if whole:
                yield b"".join([*pending, whole[0]])
                yield from whole[1:]
                pending, size = [], 0
            pending.append(rest)
            size += len(rest)
            if size > MAX_LINE:
                raise Unreadable(f"holds a record of more than {MAX_LINE >> 20} MiB", _REMEDY)
