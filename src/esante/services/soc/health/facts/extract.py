"""Facts of entries of the journal. Pure: entries in, folded facts out."""

import ipaddress
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any
from uuid import UUID

from esante.core.journal import Entry
from esante.core.storage import NIL
from esante.core.time_zone import day_of
from esante.services.soc.health.facts.model import (
    BilledAct,
    CareContact,
    CareKind,
    Emergency,
    Facts,
    Hour,
    Presence,
    StayFact,
    Touch,
    User,
    Visit,
    hour_of,
)
from esante.services.soc.health.facts.sources import Sources, sources

SWEEP_COUNT = 100
"""A search that shows so many resources is a sweep, as one without a type is."""
_GRANTS = {"presence_code": CareKind.CODE, "circle": CareKind.CIRCLE}
_LONGEST = 200

SiteOf = Callable[[Entry], str]
"""Returns the key of the site from which an entry came, "" where it is not known.

Today the organisation that the session acts for; with HealthNet the site of its device certificate.
"""


def organization_site(entry: Entry) -> str:
    """Return the organisation that an entry acts for as its site: all that is known without HealthNet."""
    return str(entry.actor.organization_id or "")


def extract(entries: Iterable[Entry], site_of: SiteOf = organization_site, known: Sources | None = None) -> Facts:
    """Return the facts of entries, in whatever order they come."""
    facts = Facts(upto=datetime.min.replace(tzinfo=UTC))
    names = known or sources()
    for entry in entries:
        facts.upto = max(facts.upto, entry.at)
        if entry.event is not None:
            _add(facts, entry, names, site_of)
    return facts


def _add(facts: Facts, entry: Entry, names: Sources, site_of: SiteOf) -> None:
    _add_consent(facts, entry, names)
    if entry.actor.kind not in ("practitioner", "organization") or entry.actor.id is None:
        return
    user = user_of(entry)
    allowed = getattr(entry.event, "allowed", True)
    if entry.origin and user.kind == "practitioner":
        facts.presences.append(_presence(entry, user, site_of))
    if not allowed or entry.type in names.rejected:
        _add_refusal(facts, entry, user)
    elif entry.type in names.opened | names.listed:
        _add_visit(facts, entry, user, opened=entry.type in names.opened)
    elif entry.type in names.care:
        _add_contacts(facts, entry, user, CareKind.DEPOSIT)
    elif entry.type in names.noted:
        _add_note(facts, entry, user)
    elif entry.type in names.emergency:
        facts.emergencies.append(Emergency(person_id=entry.person_id, entry_id=entry.id, user=user, at=entry.at))
        _touch(facts, entry, user, "emergency")
    if entry.type in names.lookups and allowed:
        found = getattr(entry.event, "found", 1)
        _add_hour(facts, entry, user, lookups=1, unknown=0 if found else 1)
        _touch(facts, entry, user, "searched")


def user_of(entry: Entry) -> User:
    """Return who acted in an entry: the delegate, where somebody acted for a professional."""
    actor = entry.actor
    principal = actor.id or NIL
    return User(
        id=actor.delegate_id or principal,
        principal_id=principal,
        kind=actor.kind,
        profession=actor.role[:_LONGEST],
        organization_id=principal if actor.kind == "organization" else actor.organization_id,
    )


@lru_cache(10_000)
def subnet_of(origin: str) -> str:
    """Return the network of an address: its first 24 bits (IPv4) or 48 bits (IPv6); the text itself for none."""
    try:
        address = ipaddress.ip_address(origin)
    except ValueError:
        return origin[:_LONGEST]
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


def _presence(entry: Entry, user: User, site_of: SiteOf) -> Presence:
    return Presence(
        user=user,
        network=subnet_of(entry.origin),
        software=entry.actor.client[:_LONGEST],
        site=site_of(entry),
        first_at=entry.at,
        last_at=entry.at,
        evidence=(entry.id,),
    )


def _add_hour(facts: Facts, entry: Entry, user: User, **counts: int) -> None:
    hour = Hour(user=user, hour=hour_of(entry.at), evidence=(entry.id,), **counts)
    found = facts.hours.get(hour.key)
    facts.hours[hour.key] = found.merge(hour) if found else hour


def _touch(facts: Facts, entry: Entry, user: User, what: str) -> None:
    if entry.person_id != NIL:
        facts.touches.append(Touch(person_id=entry.person_id, user=user, at=entry.at, entry_id=entry.id, what=what))


def _visit(facts: Facts, entry: Entry, user: User, **fields: Any) -> None:
    visit = Visit(
        person_id=entry.person_id,
        user=user,
        day=day_of(entry.at),
        first_at=entry.at,
        last_at=entry.at,
        evidence=(entry.id,),
        **fields,
    )
    found = facts.visits.get(visit.key)
    facts.visits[visit.key] = found.merge(visit) if found else visit


def _add_visit(facts: Facts, entry: Entry, user: User, *, opened: bool) -> None:
    if entry.person_id == NIL:
        return
    kind = getattr(entry.event, "grant_kind", "")
    _visit(
        facts,
        entry,
        user,
        opened=int(opened),
        listed=int(not opened),
        by_code=kind == "presence_code",
        in_emergency=kind == "emergency",
    )
    sweep = entry.type == "record.clinical_searched" and (
        not entry.event.type or getattr(entry.event, "count", 0) >= SWEEP_COUNT
    )
    _add_hour(facts, entry, user, shown=1, sweeps=int(sweep))
    facts.moments.append((entry.person_id, user.id, user, entry.at, entry.id))
    _touch(facts, entry, user, "opened" if opened else "listed")


def _add_refusal(facts: Facts, entry: Entry, user: User) -> None:
    _add_hour(facts, entry, user, refusals=1)
    if entry.person_id != NIL:
        _visit(facts, entry, user, refused=1)
        _touch(facts, entry, user, "refused")


def _add_contacts(facts: Facts, entry: Entry, user: User, kind: CareKind) -> None:
    holders = {*user.holders, *([user.organization_id] if user.organization_id else [])}
    for holder in holders:
        _contact(facts, entry.person_id, holder, kind, entry.at)


def _contact(
    facts: Facts, person_id: UUID, holder: UUID, kind: CareKind, at: datetime, ended_at: datetime | None = None
) -> None:
    if person_id == NIL:
        return
    contact = CareContact(person_id=person_id, holder_id=holder, kind=kind, first_at=at, last_at=at, ended_at=ended_at)
    found = facts.contacts.get(contact.key)
    facts.contacts[contact.key] = found.merge(contact) if found else contact


def _add_note(facts: Facts, entry: Entry, user: User) -> None:
    event = entry.event
    biller = event.biller_id or user.id
    _add_contacts(facts, entry, user, CareKind.NOTE)
    _contact(facts, entry.person_id, biller, CareKind.NOTE, entry.at)
    if event.replaces_id:
        facts.ended_notes.append(event.replaces_id)
    for note_id in event.note_ids[:1]:
        for number, (code, day, quantity, inpatient) in enumerate(getattr(event, "acts", ())):
            facts.acts.append(
                BilledAct(
                    person_id=entry.person_id,
                    note_id=note_id,
                    number=number,
                    biller_id=biller,
                    provider_code=event.provider_code,
                    organization_id=user.organization_id,
                    profession=user.profession,
                    code=code,
                    day=day,
                    quantity=quantity,
                    inpatient=inpatient,
                    entry_id=entry.id,
                    at=entry.at,
                )
            )


def _add_consent(facts: Facts, entry: Entry, names: Sources) -> None:
    """Add what gives or ends access, and deaths: whoever it was who acted."""
    event, person = entry.event, entry.person_id
    if entry.type in names.granted:
        if event.kind in _GRANTS:
            _contact(facts, person, event.holder_id, _GRANTS[event.kind], entry.at, event.until)
        elif event.kind == "institution_stay":
            _stay(facts, person, event.grant_id, event.holder_id, entry.at)
    elif entry.type in names.stay_reported:
        _stay(facts, person, event.grant_id, event.organization_id, entry.at)
    elif entry.type in names.grant_ended and event.kind in _GRANTS:
        _contact(facts, person, event.holder_id, _GRANTS[event.kind], entry.at, event.until)
    elif entry.type in names.stay_ended:
        _stay(facts, person, event.stay_id, event.organization_id, event.began_at, ended_at=event.ended_at)
    elif entry.type in names.stay_proved:
        _stay(facts, person, event.grant_id, event.organization_id, entry.at, proved=True)
    elif entry.type in names.referring:
        since, until = _midnight(event.since), _midnight(event.until) if event.until else None
        _contact(facts, person, event.practitioner_id, CareKind.REFERRING, since, until)
    elif entry.type in names.deceased:
        facts.deaths[person] = event.at
    elif entry.type in names.note_ended:
        facts.ended_notes += event.note_ids


def _stay(
    facts: Facts,
    person_id: UUID,
    stay_id: UUID,
    organization_id: UUID,
    began_at: datetime,
    *,
    ended_at: datetime | None = None,
    proved: bool = False,
) -> None:
    stay = StayFact(
        person_id=person_id,
        stay_id=stay_id,
        organization_id=organization_id,
        began_at=began_at,
        ended_at=ended_at,
        proved=proved,
    )
    found = facts.stays.get(stay_id)
    facts.stays[stay_id] = found.merge(stay) if found else stay


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
