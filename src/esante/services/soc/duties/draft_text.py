"""The text with which the draft of a notification begins, in a language, from what is known of the case.

What somebody has to write themselves is marked by `PLACEHOLDER`; a text that still has one is not approved.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from esante.core.web import N_, current_agency, show_datetime, translator
from esante.services.soc.cases.model import Case, QueuedAlert, Task, TaskState
from esante.services.soc.cases.playbooks import packaged_playbooks
from esante.services.soc.document_pdf import labelled
from esante.services.soc.duties.model import MOMENTS, Facts, Owed
from esante.services.soc.duties.words import CHOICES, FACT_NAMES

PLACEHOLDER = "[…]"
_TO_COMPLETE = {
    "cause": N_("Cause, and when the incident began:"),
    "consequences": N_("Likely consequences for the persons concerned:"),
    "advice": N_("What you can do yourself:"),
    "device": N_("Name, manufacturer, model, and serial or lot number of the device:"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a case when a draft is made; `organization` is the name of its member."""

    case: Case
    organization: str
    facts: Facts
    owed: Owed
    alerts: Sequence[QueuedAlert]
    tasks: Sequence[Task]


def draft_sections(known: Known, language: str) -> dict[str, str]:
    """Return the text of each section of a duty's notification, in a language."""
    words = _Words(known, language)
    return {key: words.section(key) for key in known.owed.duty.sections}


def shown_fact(name: str, value: Any, language: str) -> str:
    """Return the value of a fact in words."""
    gettext = translator(language).gettext
    if isinstance(value, bool):
        return gettext(N_("Yes")) if value else gettext(N_("No"))
    if isinstance(value, datetime):
        return show_datetime(value, language)
    if isinstance(value, StrEnum):
        return gettext(CHOICES[name][value])
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def stated_facts(facts: Facts, language: str) -> list[tuple[str, str]]:
    """Return the names and values of the facts that differ from their defaults, moments aside."""
    gettext = translator(language).gettext
    defaults = {one.name: one.default for one in msgspec.structs.fields(Facts)}
    return [
        (gettext(label), shown_fact(name, value, language))
        for name, label in FACT_NAMES.items()
        if name not in MOMENTS and (value := getattr(facts, name)) != defaults[name]
    ]


class _Words:
    """The sections in one language."""

    def __init__(self, known: Known, language: str) -> None:
        self._known, self._language = known, language
        self._gettext = translator(language).gettext

    def section(self, key: str) -> str:
        """Return the text of a section."""
        own: Mapping[str, Callable[[], str]] = {
            "entity": self._entity,
            "contact": self._contact,
            "times": self._times,
            "nature": self._nature,
            "thresholds": self._thresholds,
            "impact": self._impact,
            "malicious": lambda: self._yes_or_unknown(self._known.facts.malicious_access),
            "cross_border": lambda: self._yes_or_unknown(self._known.facts.cross_border),
            "indicators": self._indicators,
            "measures": self._measures,
            "persons": self._persons,
        }
        return own[key]() if key in own else f"{self._gettext(_TO_COMPLETE[key])} {PLACEHOLDER}"

    def _entity(self) -> str:
        kind = self._gettext(CHOICES["entity"][self._known.facts.entity])
        return f"{self._known.organization} ({kind})"

    def _contact(self) -> str:
        agency = current_agency()
        text = self._gettext(
            N_("Contact of the organisation: %(gap)s\nSecurity operations centre: %(agency_contact)s")
        )
        return text % {
            "gap": PLACEHOLDER,
            "agency_contact": f"{agency.agency_name.of(self._language)}, {agency.helpdesk}",
        }

    def _times(self) -> str:
        lines = [
            labelled(self._gettext(FACT_NAMES[name]), show_datetime(moment, self._language), self._language)
            for name in MOMENTS
            if (moment := getattr(self._known.facts, name)) is not None
        ]
        return "\n".join(lines)

    def _nature(self) -> str:
        case, book = self._known.case, packaged_playbooks().by_key.get(self._known.case.playbook)
        lines = [f"{self._gettext(book.label)}. {self._gettext(book.display)}"] if book else []
        lines.append(self._gettext(N_("Reference of the case: %(reference)s")) % {"reference": case.reference})
        return "\n".join(lines) if book else f"{PLACEHOLDER}\n{lines[0]}"

    def _thresholds(self) -> str:
        return "\n".join(self._gettext(one.label) for one in self._known.owed.why)

    def _impact(self) -> str:
        found = stated_facts(self._known.facts, self._language)
        return "\n".join(labelled(*one, self._language) for one in found) or PLACEHOLDER

    def _yes_or_unknown(self, is_true: bool) -> str:
        return self._gettext(N_("Yes")) if is_true else self._gettext(N_("Not known at present"))

    def _indicators(self) -> str:
        techniques = sorted({one for alert in self._known.alerts for one in alert.techniques})
        if not techniques:
            return self._gettext(N_("Not known at present"))
        return self._gettext(N_("Techniques (MITRE ATT&CK): %(techniques)s")) % {"techniques": ", ".join(techniques)}

    def _measures(self) -> str:
        steps = packaged_playbooks().steps
        done = [one for one in self._known.tasks if one.state is TaskState.DONE and one.step in steps]
        lines = [
            f"{show_datetime(one.done_at, self._language)}: {self._gettext(steps[one.step].label)}"
            for one in done
            if one.done_at is not None
        ]
        return "\n".join(lines) or PLACEHOLDER

    def _persons(self) -> str:
        text = self._gettext(N_("Persons concerned, about: %(count)s\nCategories of persons and of data: %(gap)s"))
        return text % {"count": self._known.facts.affected_users or PLACEHOLDER, "gap": PLACEHOLDER}
