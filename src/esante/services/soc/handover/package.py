"""The package of a hand-over: what leaves of alerts, and the ZIP of PDF, JSON and MISP event. Pure."""

import zipfile
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any

import orjson

from esante.core.types import Json
from esante.core.web import N_, P_, show_datetime, translator
from esante.services.soc.alerts.model import LEVEL_NAMES, Level, Origin
from esante.services.soc.cases.model import OUTCOME_NAMES, STATE_NAMES
from esante.services.soc.document_pdf import Document, document_pdf, labelled
from esante.services.soc.handover.misp import misp_event
from esante.services.soc.handover.recipients import IndicatorKind


def shared_alert(row: dict[str, Any]) -> Json:
    """Return what leaves of an alert: no subject, no values, no patient."""
    return {
        "id": str(row["alert_id"]),
        "rule": row["rule"],
        "title": row["title"],
        "level": row["level"],
        "origin": row["origin"],
        "techniques": row["techniques"].split(),
        "first_at": row["first_at"],
        "last_at": row["last_at"],
    }


def indicators(rows: Sequence[dict[str, Any]], kinds: Sequence[IndicatorKind]) -> list[Json]:
    """Return the values of alerts that are indicators, each once; none of alerts on access to health data."""
    by_field = {name: kind for kind in kinds for name in kind.fields}
    found: dict[tuple[str, str], Json] = {}
    for row in rows:
        if row["origin"] == Origin.HEALTH:
            continue
        for one in orjson.loads(row["evidence"]):
            kind = by_field.get(one["field"])
            if kind is not None and one["value"]:
                value = {"type": kind.type, "value": one["value"]}
                found.setdefault((kind.type, one["value"]), value)
    return [found[key] for key in sorted(found)]


def package(content: Json, language: str, at: datetime) -> bytes:
    """Return the ZIP of a package: the same content gives the same bytes."""
    stem, buffer = content["reference"], BytesIO()
    files = {
        f"{stem}.json": orjson.dumps(content, option=orjson.OPT_INDENT_2),
        f"{stem}.misp.json": orjson.dumps(misp_event(content), option=orjson.OPT_INDENT_2),
        f"{stem}.pdf": document_pdf(_document(content, language), language, at),
    }
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, at.timetuple()[:6]), data)
    return buffer.getvalue()


def _document(content: Json, language: str) -> Document:
    """Return the package of a case as a document to read."""
    gettext = translator(language).gettext
    title, severity, state, outcome = (content[name] for name in ("title", "severity", "state", "outcome"))
    about = {
        N_("Organisation"): content["organization"],
        N_("Title"): gettext(title),
        N_("Severity"): gettext(LEVEL_NAMES[Level(severity)]),
        N_("State"): gettext(STATE_NAMES[state]),
        N_("Opened at"): show_datetime(content["opened_at"], language),
    }
    if outcome:
        about[N_("Outcome")] = gettext(OUTCOME_NAMES[outcome])
    lines = {
        P_("security", "Alerts"): [_alert_line(one, language) for one in content.get("alerts", ())],
        N_("Indicators of compromise"): [f"{one['type']}: {one['value']}" for one in content.get("indicators", ())],
        N_("Notes"): [
            f"{show_datetime(one['at'], language)} ({one['tlp']}): {one['text']}" for one in content.get("notes", ())
        ],
        N_("Evidence"): [
            f"{one['position']}. {one['name']}, SHA-256 {one['sha256']}" for one in content.get("evidence", ())
        ],
    }
    none = gettext(N_("None"))
    sections = [
        (gettext(N_("Case")), "\n".join(labelled(gettext(name), value, language) for name, value in about.items()))
    ]
    sections += [(gettext(heading), "\n".join(found) or none) for heading, found in lines.items()]
    return Document(
        title=gettext(N_("Hand-over of a case")),
        mark=content["tlp"],
        reference=content["reference"],
        sections=sections,
    )


def _alert_line(alert: Json, language: str) -> str:
    """Return an alert of a hand-over as a line."""
    gettext, title, level = translator(language).gettext, alert["title"], LEVEL_NAMES[Level(alert["level"])]
    parts = [
        show_datetime(alert["first_at"], language),
        gettext(level),
        gettext(title),
        ", ".join(alert["techniques"]),
    ]
    return " · ".join(part for part in parts if part)
