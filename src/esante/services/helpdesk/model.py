"""The types of reports to the helpdesk, and their events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_

KINDS: Mapping[str, tuple[str, str]] = {
    "misuse": (N_("Misuse"), N_("Somebody has seen or used health data without a right to.")),
    "privacy": (N_("My personal data"), N_("See, correct or delete data about me, or object to their use.")),
    "accessibility": (N_("A barrier"), N_("I cannot read or use something on these pages.")),
    "problem": (N_("Something does not work"), N_("A page, a document or an app is wrong or broken.")),
    "other": (N_("A question or an idea"), ""),
}
"""What can be reported: name and explanation of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody wrote in the form; `language` is that of their pages."""

    kind: str
    text: str
    contact: str = ""
    page: str = ""
    language: str = "fr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report, and the answer to it; open while `answered_at` is None.

    `reference` is the number that the reporter keeps; `reporter_id` is None when they were not signed in.
    """

    report_id: UUID
    reference: str
    at: datetime
    kind: str
    text: str
    contact: str
    page: str
    language: str
    reporter_id: UUID | None = None
    reporter_kind: str = ""
    reporter: str = ""
    answer: str = ""
    answered_at: datetime | None = None
    answered_by: str = ""


@event("helpdesk.reported")
class Reported(Event, frozen=True, kw_only=True):
    """Something was reported to the helpdesk; the text is in the report only."""

    report_id: UUID
    kind: str


@event("helpdesk.answered")
class ReportAnswered(Event, frozen=True, kw_only=True):
    """A report was answered; filed under the person who sent it, if they were signed in as a patient."""

    report_id: UUID
    kind: str
