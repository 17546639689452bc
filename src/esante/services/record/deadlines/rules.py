"""Pure decisions about deadlines: the kind of a document, the last day, whether a document is the answer."""

from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

from esante.core.time_limits import last_day
from esante.core.time_zone import day_of
from esante.identity.access import Consent, Item, opposes_deposit
from esante.services.record.categories import category_of_type
from esante.services.record.deadlines.model import DepositTask
from esante.services.record.deadlines.terms import deadline_terms

DISCHARGE = "discharge_letter"
"""The kind that is due after a hospital stay."""


def kind_of(type_: str, on: date) -> str:
    """Return the kind of documents with a deadline that a LOINC type is on a day; "" for none."""
    return deadline_terms(on).kind_of_type.get(type_, "")


def due_after_care(care_on: date) -> date:
    """Return the last day on which a document about care that ended on a day is in time."""
    return last_day(care_on, days=deadline_terms(care_on).care_days)


def due_after_request(asked_at: datetime) -> date:
    """Return the last day on which a document that was asked for at a moment is in time."""
    return last_day(asked_at, days=deadline_terms(day_of(asked_at)).request_days)


def is_in_time(care_on: date, deposited_on: date) -> bool:
    """Return whether a document about care that ended on a day was deposited in time."""
    return deposited_on <= due_after_care(care_on)


def answers(task: DepositTask, kind: str, event_date: date, depositors: Collection[UUID | None]) -> bool:
    """Return whether a document is the one that a task is about: its kind, its depositor, not from before the care."""
    of_time = task.care_on is None or event_date >= task.care_on
    return task.kind == kind and task.depositor_id in depositors and of_time


def is_excused(consent: Consent, depositor_id: UUID, kind: str, days: Collection[date]) -> bool:
    """Return whether the person opposes documents of a kind about care by a depositor on one of some days."""
    types = (type_ for day in days for type_, other in deadline_terms(day).kind_of_type.items() if other == kind)
    items = {Item(category=category.key) for type_ in types if (category := category_of_type(type_)) is not None}
    return any(opposes_deposit(consent, (depositor_id,), item, day) for item in items for day in days)
