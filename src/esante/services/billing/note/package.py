"""The ZIP in which a fee note is deposited: exactly one XML, named by the rule of the CNS.

Nothing beyond a bound is decompressed: the sizes that the ZIP declares decide, and what turns out to be larger ends
the reading.
"""

import re
import zipfile
import zlib
from io import BytesIO
from uuid import UUID

from esante.core.web import N_
from esante.services.billing.note.faults import BadNote, NoteFault
from esante.services.billing.note.model import FeeNote
from esante.services.billing.note.national_xml import write_note
from esante.services.billing.note.xml_blocks import MAX_BYTES

MAX_ZIP = 8 * 1024 * 1024
"""Bytes of a ZIP."""
MAX_ENTRIES = 64
"""Entries of a ZIP beyond which its directory is not even read."""
MAX_RATIO = 100
"""How many times smaller than its content a ZIP may be; XML of notes is 5 to 20 times smaller."""
_SMALL = 64 * 1024
"""Bytes of a content below which the ratio does not matter."""
_NAME = re.compile(
    r"F(?P<code>90[0-9]{6})(?P<month>20[0-9]{2}(?:0[1-9]|1[0-2]))_MED_MHM_[0-9]{3}_[0-9]{2}01_"
    r"(?P<id>[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\.xml"
)
_NAME_FORM = "F90dddddd<yyyymm>_MED_MHM_ddd_dd01_<UUID>.xml"
_ANEW = N_("Let your software make the package again, with one fee note in it.")
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1


def unpack(data: bytes) -> tuple[str, bytes]:
    """Return the name and the content of the one XML in a ZIP.

    Raises: BadNote for what is no ZIP with exactly one XML, is encrypted, too large, or has another name.
    """
    if len(data) > MAX_ZIP:
        raise _refusal("", N_("The package is too large."), f"{MAX_ZIP:,} bytes are allowed")
    if data.count(b"PK\x01\x02") > MAX_ENTRIES:
        raise _refusal("", N_("A package holds exactly one file."))
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) != 1:
                raise _refusal("", N_("A package holds exactly one file."), f"{len(entries)} found")
            _check_entry(entries[0])
            return entries[0].filename, _content(archive, entries[0])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError, OSError, ValueError) as error:
        raise _refusal("", N_("This is no ZIP file, or it is damaged.")) from error


def note_id_of(name: str) -> UUID:
    """Return the UUID of the note in the name of its file. Raises: BadNote for a name against the rule."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise _refusal(name[:200], N_("The name of the file in the package is wrong."), f"expected: {_NAME_FORM}")
    return UUID(match["id"])


def file_name(note: FeeNote) -> str:
    """Return the name of the file of a note; its sender is the platform's code."""
    return f"F90000000{note.issued_on:%Y%m}_MED_MHM_001_0101_{note.id}.xml"


def pack(note: FeeNote) -> bytes:
    """Return a note in its ZIP; the same note gives the same bytes."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(file_name(note)), write_note(note), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _check_entry(entry: zipfile.ZipInfo) -> None:
    note_id_of(entry.filename)
    if entry.flag_bits & _ENCRYPTED:
        raise _refusal(entry.filename, N_("The file in the package is encrypted."))
    if entry.compress_type not in _METHODS:
        raise _refusal(entry.filename, N_("The file in the package is compressed by an unknown method."))
    if entry.file_size > MAX_BYTES:
        raise _refusal(entry.filename, N_("The file in the package is too large."), f"{MAX_BYTES:,} bytes are allowed")
    if entry.file_size > max(_SMALL, MAX_RATIO * entry.compress_size):
        raise _refusal(entry.filename, N_("The file in the package is compressed far more than fee notes are."))


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return the content, of which no more is decompressed than was declared, and one byte."""
    with archive.open(entry) as file:
        content = file.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise _refusal(entry.filename, N_("This is no ZIP file, or it is damaged."))
    return content


def _refusal(place: str, title: str, detail: str = "") -> BadNote:
    return BadNote([NoteFault(place=place or "/", title=title, remedy=_ANEW, detail=detail, code="structure")])
