"""Events of files and folders, whatever their format: EVTX, JSON, lines of text, ZIP files of them."""

import io
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from esante.services.soc.scan.bounds import (
    MAX_ENTRIES,
    MAX_FAULTS,
    MAX_UNPACKED,
    EventFault,
    Unreadable,
    unpacked,
)
from esante.services.soc.scan.evtx_events import read_evtx
from esante.services.soc.scan.json_events import Event, Report, read_text

_EVTX, _ZIP = b"ElfFile\0", b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"


def files_of(paths: list[Path]) -> list[Path]:
    """Return the files among paths and in folders among them."""
    found: list[Path] = []
    for path in paths:
        found += sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return found


class EventFiles:
    """Reads events of files. `faults`: what could not be read; `unlisted`: how many more faults there are."""

    def __init__(self) -> None:
        self.faults: list[EventFault] = []
        self.unlisted = 0

    def read(self, path: Path, moved: Callable[[int], None] = lambda position: None) -> Iterator[Event]:
        """Yield the events of a file; `moved` is called with the position in it. What cannot be read is a fault."""
        try:
            with path.open("rb") as file:
                for event in self._read(file, str(path), zipped=False):
                    yield event
                    moved(file.tell() if not file.closed else 0)
        except OSError as error:
            self._add(EventFault(str(path), "", f"cannot be read ({error.strerror or error})", "check the file"))

    def _read(self, file: io.BufferedReader, name: str, *, zipped: bool) -> Iterator[Event]:
        before = len(self.faults)

        def report(place: str, reason: str, remedy: str) -> None:
            if len(self.faults) - before < MAX_FAULTS:
                self._add(EventFault(name, place, reason, remedy))
            else:
                self.unlisted += 1

        try:
            yield from self._dispatch(file, name, report, zipped=zipped)
        except Unreadable as error:
            self._add(EventFault(name, error.place, error.reason, error.remedy))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            reason = f"cannot be unpacked ({error})"
            self._add(EventFault(name, "", reason, "pack it again, without a password, by deflate"))

    def _dispatch(self, file: io.BufferedReader, name: str, report: Report, *, zipped: bool) -> Iterator[Event]:
        head = file.read(8)
        file.seek(0)
        if head[:4] in (_ZIP, _EMPTY_ZIP):
            if zipped:
                raise Unreadable("is a ZIP file in a ZIP file", "unpack the outer one")
            yield from self._unzip(file, name)
        elif head == _EVTX:
            yield from read_evtx(file, report)
        else:
            yield from read_text(file, report)

    def _unzip(self, file: io.BufferedReader, name: str) -> Iterator[Event]:
        budget = [MAX_UNPACKED]
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MAX_ENTRIES:
                raise Unreadable(f"holds more than {MAX_ENTRIES:,} files", "divide the archive")
            for entry in entries:
                with archive.open(entry) as packed:
                    yield from self._unpack(unpacked(packed, entry.compress_size, budget), f"{name}!{entry.filename}")

    def _unpack(self, content: Iterator[bytes], name: str) -> Iterator[Event]:
        """Yield the events of a file in an archive, by way of a temporary file, since parsers move about in it."""
        with tempfile.TemporaryFile() as copy:
            try:
                copy.writelines(content)
            except Unreadable as error:
                self._add(EventFault(name, error.place, error.reason, error.remedy))
                return
            copy.seek(0)
            yield from self._read(cast(io.BufferedReader, copy), name, zipped=True)

    def _add(self, fault: EventFault) -> None:
        self.faults.append(fault)
