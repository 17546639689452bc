"""Helpers of tests of consent: refusals, journal events and the access decision for a person."""

from datetime import UTC, datetime

import pytest

from esante.core.journal import EVENTS
from esante.core.web import Problem
from esante.identity.access import Action, Item, Purpose, decide
from esante.identity.access.consent.store import BLOCK

LETTER = Item(category="letter")


async def problem_of(awaitable):
    """Return the Problem that an awaitable raises."""
    with pytest.raises(Problem) as caught:
        await awaitable
    return caught.value


async def access_events(journal, person_id, *types):
    """Return a person's events of some types (none named: all of access), oldest first."""
    wanted = types or [type_ for name, type_ in EVENTS.items() if name.startswith("access.")]
    return [entry.event for entry in reversed(await journal.entries_of(person_id, wanted, limit=100))]


async def read_verdict(house, patient, requester, item=LETTER, purpose=Purpose.TREATMENT, at=None):
    """Return the decision about reading an item of a patient's record."""
    consent = await house.access.consent(patient.id)
    return decide(consent, requester, Action.READ, item, purpose, at or datetime.now(UTC))


def block_row(patient, requester):
    """Return the row by which a patient blocks a practitioner."""
    return BLOCK, (patient.id, requester.id, "practitioner", requester.name, datetime.now(UTC))
