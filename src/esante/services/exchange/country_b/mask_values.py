"""What a patient said, checked against the search mask of their country."""

from collections.abc import Mapping
from datetime import date

from esante.core.web import N_, bad_request
from esante.services.exchange.contact_points import FieldKind, MaskField
from esante.services.exchange.contact_points.mask import matches

MAX_LENGTH = 200
SEXES = ("female", "male", "other")


def checked_values(fields: Mapping[int, MaskField], values: Mapping[int, str]) -> dict[str, str]:
    """Return what was written in the fields, by their place, without blanks around it.

    At least one identifier is needed where the mask has any: countries do not answer without one
    (DemographicsQueryNotAllowed). Raises: `Problem` 400 at the first field that is wrong.
    """
    found = dict[str, str]()
    for place, field in fields.items():
        value = " ".join(values.get(place, "").split())
        if not value:
            if field.is_mandatory:
                raise bad_request(name_of(place), N_("Fill in this field."), code="required")
            continue
        _check(place, field, value)
        found[str(place)] = value
    ids = [place for place, field in fields.items() if field.kind is FieldKind.ID]
    if ids and not any(str(place) in found for place in ids):
        raise bad_request(name_of(ids[0]), N_("Fill in at least one identifier."), code="required")
    if not found:
        raise bad_request(name_of(next(iter(fields), 0)), N_("Fill in this field."), code="required")
    return found


def name_of(place: int) -> str:
    """Return the name of a field in a form."""
    return f"field-{place}"


def _check(place: int, field: MaskField, value: str) -> None:
    name = name_of(place)
    if len(value) > MAX_LENGTH or not value.isprintable() or (field.kind is FieldKind.ID and set("^&'") & set(value)):
        raise bad_request(name, N_("This value cannot be used."), code="value")
    if field.kind is FieldKind.BIRTH_DATE and not _is_day(value):
        raise bad_request(name, N_("Write a day, such as 1980-05-17."), code="value")
    if field.kind is FieldKind.SEX and value not in SEXES:
        raise bad_request(name, N_("Choose one of the list."), code="value")
    if field.kind in (FieldKind.ID, FieldKind.TEXT) and not matches(field, value):
        raise bad_request(name, N_("This does not have the form that the country expects."), code="value")


def _is_day(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
