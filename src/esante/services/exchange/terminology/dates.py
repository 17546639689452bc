"""Days in files of catalogues."""

from datetime import date


def day_of(text: object) -> date | None:
    """Return the day at the beginning of a FHIR date or dateTime, or of a timestamp of SQL; None without a day."""
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        return None
