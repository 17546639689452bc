"""Notices: messages to a person about events in their record, made from the journal."""

from esante.services.notices.model import Notice, NoticesRead
from esante.services.notices.rules import make_notice
from esante.services.notices.service import Notices

__all__ = ["Notice", "Notices", "NoticesRead", "make_notice"]
