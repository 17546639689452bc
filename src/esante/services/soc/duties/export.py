"""A notification as a file: JSON for software, PDF for people."""

from typing import Any

import msgspec
import orjson

from esante.core.types import Json
from esante.core.web import N_, P_, show_datetime, translator
from esante.services.soc.document_pdf import Document, document_pdf
from esante.services.soc.duties.model import Notification, Owed
from esante.services.soc.duties.rule_file import packaged_rules
from esante.services.soc.duties.service import DutyView, text_digest
from esante.services.soc.duties.words import SECTION_NAMES

FORMAT = "esante-incident-notification/1"


def notification_json(view: DutyView, owed: Owed, organization: str) -> bytes:
    """Return a notification of a case with its facts, thresholds, deadline and approvals as JSON (docs/cases.md)."""
    found = view.notifications[owed.duty.key]
    assert view.facts is not None
    gettext = translator(found.language).gettext
    content: Json = {
        "format": FORMAT,
        "case": view.case.reference,
        "organization": organization,
        "regime": owed.rules.regime,
        "duty": owed.duty.key,
        "recipient": owed.duty.to,
        "legal_source": owed.rules.legal_source,
        "verified": owed.rules.verified,
        "thresholds": [one.key for one in owed.why],
        "started_at": owed.started_at,
        "due_at": owed.due_at,
        "language": found.language,
        "version": found.version,
        "sections": [
            {"key": key, "label": gettext(SECTION_NAMES[key]), "text": text} for key, text in found.sections.items()
        ],
        "sha256": text_digest(found),
        "facts": msgspec.to_builtins(view.facts),
        "approvals": _approvals(found),
        "sent_at": found.sent_at,
        "receipt": found.receipt,
        "delay_reason": found.delay_reason,
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2)


def notification_pdf(view: DutyView, owed: Owed, organization: str) -> bytes:
    """Return a notification of a case as PDF. Raises: as `typeset_pdf`."""
    found = view.notifications[owed.duty.key]
    gettext = translator(found.language).gettext
    heads = [
        (gettext(P_("recipient", "To")), gettext(packaged_rules().recipients[owed.duty.to].label)),
        (gettext(N_("From")), organization),
    ]
    if owed.due_at is not None:
        heads.append((gettext(N_("Deadline")), show_datetime(owed.due_at, found.language)))
    sections = [*heads, *((gettext(SECTION_NAMES[key]), text) for key, text in found.sections.items())]
    if found.delay_reason:
        sections.append((gettext(N_("Reason for the delay")), found.delay_reason))
    mark = "" if found.is_approved else gettext(N_("Draft, not approved by two people"))
    document = Document(title=gettext(owed.duty.label), mark=mark, reference=view.case.reference, sections=sections)
    return document_pdf(document, found.language, found.sent_at or found.changed_at)


def _approvals(found: Notification) -> list[dict[str, Any]]:
    given = [(found.first_by, found.first_at), (found.second_by, found.second_at)]
    return [{"name": name, "at": at} for name, at in given if at is not None]
