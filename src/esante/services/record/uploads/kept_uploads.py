"""The files that a session sent with the deposit form and has not added to a record yet."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from esante.core import clock
from esante.core.storage import Database, sha256, uuid7
from esante.services.record.documents.content.media_types import detect_media_type
from esante.services.record.model import KINDS
from esante.services.record.uploads import upload_store

LIFETIME = timedelta(hours=1)
MOST_OF_REQUESTER = 3
"""Files that are kept of one requester at a time; the oldest gives way."""
MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class KeptUpload:
    """A file of the deposit form; `name` is that on the sender's machine."""

    id: UUID
    name: str
    content: bytes

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return len(self.content)

    @property
    def sha256(self) -> bytes:
        """The SHA-256 of its bytes."""
        return sha256(self.content)

    @property
    def kind(self) -> str:
        """The kind of document that it would be. Raises: `InvalidContent` for a format that is not accepted."""
        return KINDS[detect_media_type(self.content)]


def new_upload(name: str, content: bytes) -> KeptUpload:
    """Return a file that was sent under a name."""
    return KeptUpload(uuid7(), "".join(char for char in name if char.isprintable())[-MAX_NAME:], content)


class KeptUploads:
    """Keeps files for an hour, each for its session and the person whose record it is to be added to."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(self, session_key: bytes, requester_id: UUID, person_id: UUID, upload: KeptUpload) -> None:
        """Keep a file."""
        row = (upload.id, session_key, requester_id, person_id, upload.name, upload.content, clock.now())
        await upload_store.insert_upload(self._db, row, MOST_OF_REQUESTER)

    async def find(self, session_key: bytes, person_id: UUID, upload_id: UUID) -> KeptUpload | None:
        """Return a file; None for one of another session or person, and for one that is kept no longer."""
        since = clock.now() - LIFETIME
        row = await upload_store.find_upload(self._db, upload_id, session_key, person_id, since)
        return KeptUpload(upload_id, row["name"], row["content"]) if row else None

    async def discard(self, session_key: bytes, upload_id: UUID) -> None:
        """Forget a file."""
        await upload_store.delete_upload(self._db, upload_id, session_key)

    async def remove_expired(self) -> None:
        """Forget the files whose time is over."""
        await upload_store.delete_uploads_until(self._db, clock.now() - LIFETIME)
