"""A library for doctors' software: a fee note is paid, deposited or printed, once, whatever the network does.

It needs httpx and lxml, and nothing else of this program: the folder may be copied.
"""

from esante.services.billing.client.model import Confirmations, Entry, QueueError, State, Way
from esante.services.billing.client.note_file import NoteFileError
from esante.services.billing.client.platform_api import PlatformApi
from esante.services.billing.client.queue_store import NoteQueue
from esante.services.billing.client.service import FeeNoteClient

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
