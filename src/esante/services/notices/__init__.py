"""Notices: what a person is told of, made from the journal."""

from esante.services.notices.model import KINDS, Kind, Notice, NoticesRead
from esante.services.notices.pages import routes as page_routes
from esante.services.notices.rules import notice_of
from esante.services.notices.service import Notices

__all__ = ["KINDS", "Kind", "Notice", "Notices", "NoticesRead", "notice_of", "page_routes"]
