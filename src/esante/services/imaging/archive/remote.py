"""Instances whose bytes are in another archive: what the archive needs of whoever retrieves them."""

import weakref
from collections.abc import Collection
from dataclasses import dataclass
from typing import IO, Protocol

from esante.core.types import Json
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.ingest.frames import FrameIndex
from esante.services.imaging.model import Instance


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Held:
    """An instance of another archive whose bytes are here for a while.

    `instance` has the size and the transfer syntax that were found; `file` its bytes from the beginning. The file is
    closed once nobody has this object any more.
    """

    instance: Instance
    frames: FrameIndex
    header: Json
    file: IO[bytes]

    def __post_init__(self) -> None:
        weakref.finalize(self, self.file.close)


class RemoteInstances(Protocol):
    """Retrieves instances from other archives."""

    async def hold(self, instance: Instance) -> Held:
        """Return an instance with its bytes. Raises: Problem 503."""
        ...

    async def metadata(self, study: VisibleStudy, series_uids: Collection[str]) -> dict[str, dict[str, bytes]]:
        """Return the headers (DICOM JSON) of those of some series that are elsewhere, by series and instance.

        Raises: Problem 503.
        """
        ...
