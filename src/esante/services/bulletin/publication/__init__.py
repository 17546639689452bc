"""From an issue (pure data) to everything that is published of it: files whose bytes depend on the issue alone."""

from esante.services.bulletin.publication.model import File, Paper
from esante.services.bulletin.publication.service import paper, planned, publish, written

__all__ = ["File", "Paper", "paper", "planned", "publish", "written"]
