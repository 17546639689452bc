"""Notices: what a person is told of, made from the journal."""

from esante.notices.model import KINDS, Kind, Notice, NoticesRead
from esante.notices.pages import routes as page_routes
from esante.notices.rules import notice_of
from esante.notices.service import Notices

__all__ = ["KINDS", "Kind", "Notice", "Notices", "NoticesRead", "notice_of", "page_routes"]
