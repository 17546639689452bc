"""The state machine of an encounter: what its steps make of it, and what may come next. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from esante.core.web import N_
from esante.services.exchange.country_b.model import (
    PRESCRIPTION,
    Act,
    Began,
    Confirmed,
    Encounter,
    Ended,
    Found,
    Listed,
    Outcome,
    Prepared,
    Retrieved,
    Searched,
    Settled,
    Submission,
    Taken,
)

PATIENCE = timedelta(seconds=40)
"""How long something that was asked counts as being asked: longer than a message may take."""


class NotNow(Exception):
    """What is wanted does not come next in the encounter; the text (a msgid) says why."""


def advance(encounter: Encounter, steps: Iterable[Taken]) -> Encounter:
    """Return what an encounter is after steps, in their order."""
    for taken in steps:
        encounter = replace(_advanced(encounter, taken), count=taken.number)
    return encounter


def is_waiting(encounter: Encounter, now: datetime) -> bool:
    """Return whether an answer may still come."""
    since = encounter.waiting_since
    return encounter.waiting is not None and since is not None and now - since < PATIENCE


def is_confirmed(encounter: Encounter, validity: timedelta, now: datetime) -> bool:
    """Return whether the treatment is confirmed, and the confirmation in force."""
    return encounter.confirmed_at is not None and now < encounter.confirmed_at + validity


def may_identify(encounter: Encounter, now: datetime) -> None:
    """Check that a patient may be looked for. Raises: `NotNow`."""
    _check_open(encounter, now)
    if encounter.patient is not None:
        raise NotNow(N_("The patient has been found already."))


def may_confirm(encounter: Encounter, now: datetime) -> None:
    """Check that identity and treatment may be confirmed. Raises: `NotNow`."""
    _check_open(encounter, now)
    if encounter.patient is None:
        raise NotNow(N_("No patient has been found yet."))


def may_list(encounter: Encounter, validity: timedelta, now: datetime) -> None:
    """Check that documents may be listed: not while it is unknown whether a dispensation arrived. Raises: `NotNow`."""
    _check_treatment(encounter, validity, now)
    if encounter.unknown is not None:
        raise NotNow(N_("Settle the dispensation without an answer first."))


def may_retrieve(encounter: Encounter, unique_id: str, validity: timedelta, now: datetime) -> None:
    """Check that a document may be retrieved. Raises: `NotNow`."""
    _check_treatment(encounter, validity, now)
    if encounter.document(unique_id) is None:
        raise NotNow(N_("This document is not in the list."))


def may_dispense(
    encounter: Encounter, unique_id: str, prescription_id: str, validity: timedelta, now: datetime
) -> None:
    """Check that a new dispensation may be sent for a prescription. Raises: `NotNow`."""
    may_list(encounter, validity, now)
    document, got = encounter.document(unique_id), encounter.retrieved.get(unique_id)
    is_here = got is not None and got.outcome is Outcome.RETRIEVED
    if document is None or document.class_code != PRESCRIPTION or not is_here:
        raise NotNow(N_("Open the prescription first."))
    if document.is_dispensable is False:
        raise NotNow(N_("The country of the patient does not allow this prescription to be dispensed."))
    if any(one.prepared.prescription_id == prescription_id for one in in_force(encounter)):
        raise NotNow(N_("This prescription has been dispensed in this encounter already."))


def may_ask_again(encounter: Encounter, document_id: str, validity: timedelta, now: datetime) -> Submission:
    """Return what is to be sent once more, the very same. Raises: `NotNow`."""
    _check_treatment(encounter, validity, now)
    found = encounter.submissions.get(document_id)
    if found is None or found.outcome is not Outcome.UNKNOWN:
        raise NotNow(N_("The answer to this is known."))
    return found


def may_discard(encounter: Encounter, document_id: str, validity: timedelta, now: datetime) -> Submission:
    """Return the dispensation that may be discarded. Raises: `NotNow`."""
    may_list(encounter, validity, now)
    found = next((one for one in in_force(encounter) if one.prepared.document_id == document_id), None)
    if found is None:
        raise NotNow(N_("This dispensation cannot be discarded."))
    return found


def in_force(encounter: Encounter) -> list[Submission]:
    """Return the dispensations that were acknowledged and not discarded."""
    discarded = {
        one.prepared.discards for one in encounter.submissions.values() if one.outcome is Outcome.ACKNOWLEDGED
    }
    return [
        one
        for one in encounter.submissions.values()
        if one.outcome is Outcome.ACKNOWLEDGED
        and not one.prepared.discards
        and one.prepared.document_id not in discarded
    ]


def may_end(encounter: Encounter, now: datetime) -> None:
    """Check that an encounter may end: nothing is being asked, and every dispensation is settled. Raises: `NotNow`."""
    _check_open(encounter, now)
    if encounter.unknown is not None:
        raise NotNow(N_("Settle the dispensation without an answer first."))


def _check_open(encounter: Encounter, now: datetime) -> None:
    if encounter.ended_at is not None:
        raise NotNow(N_("This encounter has ended."))
    if is_waiting(encounter, now):
        raise NotNow(N_("The answer to the last question has not come yet."))


def _check_treatment(encounter: Encounter, validity: timedelta, now: datetime) -> None:
    _check_open(encounter, now)
    if not is_confirmed(encounter, validity, now):
        raise NotNow(N_("Confirm the identity of the patient and the treatment first."))


def _advanced(encounter: Encounter, taken: Taken) -> Encounter:
    """Return what an encounter is after one step. An answer that is known is never replaced by one that is not."""
    step = taken.step
    if isinstance(step, Searched):
        return replace(encounter, search=step.values, found=None)
    if isinstance(step, Began):
        changed = replace(encounter, waiting=step, waiting_since=taken.at)
        known = encounter.submissions.get(step.about)
        if step.act is Act.SUBMIT and known is not None:
            again = replace(known, attempts=known.attempts + 1)
            changed = replace(changed, submissions={**encounter.submissions, step.about: again})
        return changed
    if isinstance(step, Prepared):
        made = Submission(step, taken.at)
        return replace(encounter, submissions={**encounter.submissions, step.document_id: made})
    if isinstance(step, Confirmed):
        return replace(encounter, purpose=step.purpose, confirmed_at=taken.at)
    encounter = replace(encounter, waiting=None, waiting_since=None)
    if isinstance(step, Found):
        return replace(encounter, found=step)
    if isinstance(step, Listed):
        listed_at = {**encounter.listed_at, step.class_code: taken.at}
        return replace(encounter, lists={**encounter.lists, step.class_code: step}, listed_at=listed_at)
    if isinstance(step, Retrieved):
        return replace(encounter, retrieved={**encounter.retrieved, step.unique_id: step})
    if isinstance(step, Settled):
        known = encounter.submissions[step.document_id]
        if known.outcome is not Outcome.UNKNOWN:
            return encounter
        settled = replace(known, outcome=step.outcome, code=step.code, text=step.text)
        return replace(encounter, submissions={**encounter.submissions, step.document_id: settled})
    assert isinstance(step, Ended)
    return replace(encounter, ended_at=taken.at)
