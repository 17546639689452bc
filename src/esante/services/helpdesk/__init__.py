"""The helpdesk: what people report to the agency, signed in or not, and the agency's answers."""

from esante.services.helpdesk.model import Report, ReportAnswered, Reported
from esante.services.helpdesk.service import Helpdesk

__all__ = ["Helpdesk", "Report", "ReportAnswered", "Reported"]
