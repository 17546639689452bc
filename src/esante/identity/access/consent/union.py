"""The consent of a person whose entries of the directory were merged: the choices made under each of them hold."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from esante.identity.access.model import Consent, RecordState

T = TypeVar("T")


def merge_consents(person_id: UUID, volumes: Sequence[UUID], found: Mapping[UUID, Consent]) -> Consent:
    """Return the consent that holds for what is filed under one of a person's entries.

    `volumes`: all entries, the surviving one first; `found`: the consents of those that have a record. Grants, blocks,
    oppositions and acts of representation made under any entry hold for all. Sharing is off when it is off under one.
    What is filed under an entry that was merged is open while its own record and that of the surviving entry are.
    """
    none = Consent(person_id=person_id, state=RecordState.NONE)
    own, survivor = found.get(person_id, none), found.get(volumes[0], none)
    every = [found[volume] for volume in volumes if volume in found]
    return Consent(
        person_id=person_id,
        surviving_id=None if person_id == volumes[0] else volumes[0],
        state=own.state if survivor.state is RecordState.OPEN else survivor.state,
        sharing=all(one.sharing for one in every),
        grants=_united(one.grants for one in every),
        blocked=frozenset().union(*(one.blocked for one in every)),
        refused=frozenset().union(*(one.refused for one in every)),
        referring=_united(one.referring for one in every),
        oppositions=_united(one.oppositions for one in every),
        representations=_united(one.representations for one in every),
        capacities=_united(one.capacities for one in every),
        deceased_at=min((one.deceased_at for one in every if one.deceased_at), default=None),
    )


def with_surviving(consents: Mapping[UUID, Consent], volumes: Mapping[UUID, Sequence[UUID]]) -> dict[UUID, Consent]:
    """Return the consents of persons by the choices under all their entries; `volumes`: the entries of each person."""
    return {
        person_id: merge_consents(person_id, entries, consents)
        if len(entries) > 1
        else consents.get(person_id, Consent(person_id=person_id, state=RecordState.NONE))
        for person_id, entries in volumes.items()
    }


def _united(parts: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(item for part in parts for item in part)
