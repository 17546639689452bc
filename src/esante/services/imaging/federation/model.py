"""The types of federation: archives of hospitals, and journal events about them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.journal import Event, event


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """An archive of an organisation: the Retrieve Location UID that manifests name, and its address of DICOMweb.

    `token_file`: the file with the bearer token for it, "" for none.
    """

    location_uid: str
    organization_id: UUID
    name: str
    url: str
    token_file: str
    since: datetime


class NotRetrieved(Exception):
    """An instance that cannot be had from its archive now; `detail` says why, for the log of operators."""

    def __init__(self, location: str, detail: str) -> None:
        super().__init__(f"{location}: {detail}")
        self.location, self.detail = location, detail


@event("imaging.location_set")
class LocationSet(Event, frozen=True, kw_only=True):
    """The address of an archive was set; the token is not in it."""

    location_uid: str
    organization_id: UUID
    name: str
    url: str


@event("imaging.location_removed")
class LocationRemoved(Event, frozen=True, kw_only=True):
    """An archive was removed: its images are not retrieved any more."""

    location_uid: str
