"""Writes entries of the journal as the services would, for invented acts."""

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from esante.core.journal import EVENTS, SYSTEM, Actor, Entry
from esante.core.storage import NIL
from esante.services.soc.health.benchmark.country import Country, Professional, Workplace, draw_id

_BILLING_AS_ONE = ("hospital", "laboratory", "home_care")
"""Organisations that bill under one code."""


@dataclass(slots=True)
class Incident:
    """A labelled misuse: which detection should find it, who did it, and the entries of the journal that it made."""

    name: str
    detection: str
    user_id: UUID
    entries: list[UUID] = field(default_factory=list)


@dataclass(slots=True)
class Scribe:
    """Collects entries; those that are written while an incident is open are labelled with it."""

    rng: random.Random
    country: Country
    entries: list[Entry] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    open: Incident | None = None

    def begin(self, name: str, detection: str, user: Professional) -> None:
        """Open an incident."""
        self.open = Incident(name, detection, user.id)
        self.incidents.append(self.open)

    def end(self) -> None:
        """Close the incident."""
        self.open = None

    def write(
        self,
        type_: str,
        moment: datetime,
        person_id: UUID = NIL,
        user: Professional | None = None,
        place: Workplace | None = None,
        origin: str = "",
        software: str | None = None,
        **fields: Any,
    ) -> Entry:
        """Write an entry of a professional (None: of the platform), at their work place or another one."""
        actor = _actor(user, place or user.workplace, software) if user else SYSTEM
        entry = Entry(
            id=draw_id(self.rng),
            person_id=person_id,
            at=moment,
            type=type_,
            actor=actor,
            origin=origin
            or (f"{(place.network if place else user.network)[:-1]}{self.rng.randint(2, 250)}" if user else ""),
            event=EVENTS[type_](**fields),
        )
        self.entries.append(entry)
        if self.open is not None:
            self.open.entries.append(entry.id)
        return entry

    def read(
        self, user: Professional, person_id: UUID, at: datetime, count: int = 2, kind: str = "", **how: Any
    ) -> datetime:
        """Let somebody look at the list of documents and open some; return when they are done."""
        self.write("record.listed", at, person_id, user, grant_kind=kind, count=8, **how)
        for _ in range(count):
            at += timedelta(seconds=self.rng.randint(15, 150))
            self.write("record.read", at, person_id, user, grant_kind=kind, documents=(draw_id(self.rng),), **how)
        return at + timedelta(seconds=20)

    def deposit(self, user: Professional, person_id: UUID, at: datetime, **how: Any) -> None:
        """Let somebody add a document."""
        self.write("record.deposited", at, person_id, user, documents=(draw_id(self.rng),), **how)

    def bill(
        self,
        user: Professional,
        person_id: UUID,
        at: datetime,
        code: str,
        day: date | None = None,
        quantity: int = 1,
        *,
        inpatient: bool = False,
    ) -> None:
        """Let somebody send a fee note with one act."""
        self.write(
            "billing.note_kept",
            at,
            person_id,
            user,
            channel="ra",
            note_ids=(draw_id(self.rng),),
            provider_code=f"{(user.workplace if user.workplace.kind in _BILLING_AS_ONE else user).id.int % 10**8:08}",
            biller_id=user.id,
            acts=((code, day or at.date(), quantity, inpatient),),
        )

    def give_code(self, person_id: UUID, user: Professional, at: datetime, days: int = 15) -> None:
        """Let a person give a presence code to somebody."""
        self.write(
            "access.granted",
            at,
            person_id,
            grant_id=draw_id(self.rng),
            kind="presence_code",
            holder_kind="practitioner",
            holder_id=user.id,
            holder=user.name,
            until=at + timedelta(days=days),
        )

    def admit(self, person_id: UUID, place: Workplace, at: datetime) -> UUID:
        """Let an organisation report a stay; return its key."""
        stay_id = draw_id(self.rng)
        self.write(
            "access.granted",
            at,
            person_id,
            grant_id=stay_id,
            kind="institution_stay",
            holder_kind="organization",
            holder_id=place.id,
            holder=place.name,
            until=at + timedelta(days=45),
        )
        return stay_id

    def discharge(self, person_id: UUID, place: Workplace, stay_id: UUID, began: datetime, at: datetime) -> None:
        """Let an organisation report the end of a stay."""
        self.write(
            "access.stay_ended",
            at,
            person_id,
            stay_id=stay_id,
            organization_id=place.id,
            organization=place.name,
            status="finished",
            began_at=began,
            ended_at=at,
        )

    def prove(self, person_id: UUID, place: Workplace, stay_id: UUID, at: datetime) -> None:
        """Let the presence of a person at a stay be proved."""
        self.write(
            "access.stay_proved",
            at,
            person_id,
            grant_id=stay_id,
            organization_id=place.id,
            organization=place.name,
            cause="code",
        )


def _actor(user: Professional, place: Workplace, software: str | None) -> Actor:
    return Actor(
        kind="practitioner",
        id=user.id,
        name=user.name,
        role=user.profession,
        organization_id=place.id,
        organization=place.name,
        client=user.software if software is None else software,
    )
