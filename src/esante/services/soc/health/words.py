"""Findings in words: titles of the detections, and the sentences of an explanation in a language."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from esante.core.time_zone import time_zone
from esante.core.web import N_, show_date, translator
from esante.services.soc.health.detections.model import Detection, Finding

TITLES: Mapping[Detection, str] = {
    Detection.OWN: N_("Own record opened as a professional"),
    Detection.FAMILY: N_("Record of a relative opened without care"),
    Detection.COLLEAGUE: N_("Record of a colleague opened without care"),
    Detection.WATCHED: N_("Watched record opened without care"),
    Detection.NO_CONTEXT: N_("Record opened without known care"),
    Detection.BREAK_GLASS: N_("Emergency access without care afterwards"),
    Detection.ADMISSION: N_("Stay reported without care"),
    Detection.MASS_READING: N_("Very many records opened"),
    Detection.SHARED_CREDENTIALS: N_("One account used by several people"),
    Detection.IMPOSSIBLE_PLACE: N_("One account at two places"),
    Detection.PROBING: N_("Systematic attempts to find data"),
    Detection.NOTE_DUPLICATE: N_("Same act billed by two providers"),
    Detection.NOTE_VOLUME: N_("Improbable number of acts in a day"),
    Detection.NOTE_ABSENT: N_("Act billed during a hospital stay elsewhere"),
    Detection.NOTE_DECEASED: N_("Act billed after the patient's death"),
    Detection.INVENTED: N_("Invented record touched"),
    Detection.AFTER_DEATH: N_("Record opened after the patient's death"),
}
"""The titles of the detections (msgids)."""


def stored_values(finding: Finding, names: Mapping[UUID, str]) -> dict[str, Any]:
    """Return the parameters of an explanation as an alert stores them: names for keys, ISO 8601 for dates.

    The first sentence has the parameters themselves, further ones stand under `further`; `score` is the score.
    """
    first, *others = finding.sentences
    further = [{"why": one.text, "values": _plain(one.values, names)} for one in others]
    return _plain(first.values, names) | {"score": finding.score, "further": further}


def explain(why: str, values: Mapping[str, Any], language: str) -> list[str]:
    """Return the sentences of an alert's explanation in a language."""
    texts = translator(language)
    sentences = [(why, values), *((one["why"], one["values"]) for one in values.get("further", ()))]
    return [texts.gettext(text) % _shown(given, language) for text, given in sentences]


def _plain(values: Mapping[str, Any], names: Mapping[UUID, str]) -> dict[str, Any]:
    return {name: _plain_value(value, names) for name, value in values.items()}


def _plain_value(value: Any, names: Mapping[UUID, str]) -> Any:
    if isinstance(value, UUID):
        return names.get(value, str(value))
    return value.isoformat() if isinstance(value, date) else value


def _shown(values: Mapping[str, Any], language: str) -> dict[str, Any]:
    shown = dict(values)
    for name, value in values.items():
        if name in _DAYS and isinstance(value, str):
            shown[name] = show_date(date.fromisoformat(value), language)
        elif name == "hour" and isinstance(value, str):
            shown[name] = f"{datetime.fromisoformat(value).astimezone(time_zone()):%H:%M}"
    return shown


_DAYS = ("day", "contact_day", "death", "since")
