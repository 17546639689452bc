"""Limits of what is read of a DICOM file, and the exception for a file that exceeds them or breaks the format."""

import re

MAX_INSTANCE = 4 * 1024**3
"""Bytes of an instance."""
MAX_DEPTH = 16
"""Sequences within each other."""
MAX_ELEMENTS = 100_000
"""Elements and items of a header, and fragments of its pixel data."""
MAX_HEADER = 32 * 1024 * 1024
"""Bytes of the values of a header that are read; longer binary values are skipped."""
MAX_TEXT = 4 * 1024 * 1024
"""Bytes of one value that is no binary value."""
MAX_INLINE = 1024
"""Bytes of a binary value that stands in the DICOM JSON; a longer one is bulk data."""
MAX_FRAMES = 1_000_000

_UID = re.compile(r"[0-9.]{1,64}")


class Rejected(Exception):
    """A file that is not taken in: `reason` is a key of `model.REASONS`, `detail` says what was found where."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


def is_uid(text: str) -> bool:
    """Return whether a text is a UID as it is taken in: 1 to 64 digits and dots (PS3.5, 9.1).

    Components with leading zeros and empty ones occur in files of old devices. They do no harm, since no UID is ever
    part of a path.
    """
    return _UID.fullmatch(text) is not None
