"""What of the platform the demo works with; the application puts it together."""

from typing import Protocol

from esante.core.journal import Journal
from esante.core.storage import Database, Objects
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.bulletin import Bulletin
from esante.services.notices import Notices
from esante.services.record import Record
from esante.settings import Settings


class Platform(Protocol):
    """The services of all rooms over one database."""

    @property
    def settings(self) -> Settings:
        """Where the platform runs."""

    @property
    def db(self) -> Database:
        """The database."""

    @property
    def objects(self) -> Objects:
        """The object store."""

    @property
    def journal(self) -> Journal:
        """The journal."""

    @property
    def directory(self) -> Directory:
        """Who is who."""

    @property
    def access(self) -> Access:
        """Who may what."""

    @property
    def record(self) -> Record:
        """The documents."""

    @property
    def notices(self) -> Notices:
        """What persons are told."""

    @property
    def bulletin(self) -> Bulletin:
        """The monthly figures."""
