"""The embedded PostgreSQL: the server of a wheel, its host account and programs, and its supervisor."""

from esante.core.storage.embedded.host import EmbeddedError
from esante.core.storage.embedded.server import EmbeddedServer, start, stop

__all__ = ["EmbeddedError", "EmbeddedServer", "start", "stop"]
