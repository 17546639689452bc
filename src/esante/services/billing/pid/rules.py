"""Pure rules of immediate payment: who may bill whom, and what a simulation was made of."""

from collections.abc import Iterable, Sequence
from datetime import date
from hashlib import sha256
from uuid import UUID

import msgspec

from esante.core.web import N_
from esante.identity.directory import Person
from esante.services.billing.adjudication.model import Adjudication, Cover, Effect, Finding
from esante.services.billing.note.model import FeeNote
from esante.services.billing.pid.terms import PidTerms

NOT_INSURED, DEAD = "not-insured", "dead"
REASONS = {
    NOT_INSURED: N_("The health insurance does not know this person as insured on this day."),
    DEAD: N_("The person had died by this day."),
}
"""Why a person cannot be billed by immediate payment, in plain words (msgids). Unknown persons are not insured."""
_encoder = msgspec.json.Encoder()


def is_covered(covers: Iterable[Cover], on: date, terms: PidTerms) -> bool:
    """Return whether a person is insured on a day, at a fund whose insured can be billed by immediate payment."""
    return any(
        one.fund in terms.funds and one.since <= on and (one.until is None or on <= one.until) for one in covers
    )


def refusal(person: Person | None, covers: Sequence[Cover], on: date, terms: PidTerms) -> str:
    """Return why a person cannot be billed for a day (a key of `REASONS`); "" when they can."""
    if person is None or not is_covered(covers, on, terms):
        return NOT_INSURED
    if person.deceased_at is not None and person.deceased_at.date() < on:
        return DEAD
    return ""


def encode(value: FeeNote | Adjudication) -> bytes:
    """Return a note or an adjudication as JSON, as it is stored; equal values are equal bytes."""
    return _encoder.encode(value)


def note_digest(note: FeeNote, replaces_id: UUID | None) -> bytes:
    """Return the SHA-256 of a note's content and of what it replaces: the same for a repetition, and for it alone."""
    return sha256(encode(note) + (replaces_id.bytes if replaces_id else b"")).digest()


def findings_of(adjudication: Adjudication) -> list[Finding]:
    """Return all findings of an adjudication, those of the note first."""
    return [*adjudication.findings, *(one for line in adjudication.lines for one in line.findings)]


def refusals(adjudication: Adjudication) -> tuple[str, ...]:
    """Return the keys of the rules that refused or reduced something, each once."""
    found = (one.rule for one in findings_of(adjudication) if one.effect in (Effect.REFUSED, Effect.REDUCED))
    return tuple(dict.fromkeys(found))
