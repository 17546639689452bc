"""What the header of an instance says of its patient, to be compared with the person (PS3.3, C.7.1.1)."""

from collections.abc import Iterator

from esante.core.types import Json
from esante.services.imaging.ingest.header import Header
from esante.services.imaging.ingest.values import items_of
from esante.services.record import Demographics, PersonName, is_matricule, matricule_system

_SEXES = {"F": "female", "M": "male", "O": "other"}


def demographics(header: Header) -> Demographics:
    """Return what a header says of its patient.

    An identifier counts where its system is known: a matricule by its check digits, others by the OID of their issuer.
    """
    day = header.text("00100030")
    return Demographics(
        identifiers=tuple(dict.fromkeys(_identifiers(header.json))),
        names=tuple(filter(None, map(_name, header.json.get("00100010", {}).get("Value", ())))),
        birth_date=f"{day[:4]}-{day[4:6]}-{day[6:8]}" if len(day) >= 8 and day[:8].isdigit() else "",
        sex=_SEXES.get(header.text("00100040"), ""),
    )


def _identifiers(json: Json) -> Iterator[tuple[str, str]]:
    """Yield the identifiers of the patient with their systems."""
    for item in (json, *items_of(json, "00101002")):
        value = _text(item, "00100020")
        if is_matricule(matricule_system(), value):
            yield matricule_system(), value
        for issuer in items_of(item, "00100024"):
            if value and _text(issuer, "00400033") == "ISO":
                yield f"urn:oid:{_text(issuer, '00400032')}", value


def _text(json: Json, tag: str) -> str:
    value = next(iter(json.get(tag, {}).get("Value", ())), "")
    return value if isinstance(value, str) else ""


def _name(value: object) -> PersonName | None:
    """Return a name of the group Alphabetic, else of another one (PS3.5, 6.2.1); None for what is no name."""
    text = next(iter(value.values()), "") if isinstance(value, dict) else ""
    family, given, middle = (*(part.strip() for part in text.split("^")), "", "", "")[:3]
    if not (family or given or middle):
        return None
    return PersonName(family=family, given=tuple(part for part in (given, middle) if part))
