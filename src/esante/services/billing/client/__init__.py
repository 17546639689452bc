"""A library for doctors' software: a fee note is paid, deposited or printed, once, whatever the network does.

It needs httpx and lxml, and nothing else of this program: the folder may be copied.
"""

from .model import Confirmations, Entry, QueueError, State, Way
from .note_file import NoteFileError
from .platform_api import PlatformApi
from .queue_store import NoteQueue
from .service import FeeNoteClient

__all__ = [
    "Confirmations",
    "Entry",
    "FeeNoteClient",
    "NoteFileError",
    "NoteQueue",
    "PlatformApi",
    "QueueError",
    "State",
    "Way",
]
