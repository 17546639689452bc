"""Validation of entries and identifiers: the pure `rules`, as canonical values or as a `Problem`."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

import asyncpg

from esante.core.time_zone import today
from esante.core.web import N_, Problem, bad_request
from esante.identity.directory import rules
from esante.identity.directory.model import Catalogue, Fault, Identifier, Organization, Person, Practitioner

Holder = TypeVar("Holder", Person, Practitioner, Organization)
CHECKS = ("strict", "warn")


class EntryValidator:
    """Canonicalises and checks entries before they are stored, and identifiers before they are searched.

    `matricule_check`: see `Directory`. Raises: ValueError when it is not one of `CHECKS`.
    """

    def __init__(self, catalogue: Catalogue, matricule_check: str) -> None:
        if matricule_check not in CHECKS:
            raise ValueError(f"matricule_check must be one of {', '.join(CHECKS)}, not {matricule_check!r}")
        self._catalogue, self._strict = catalogue, matricule_check == "strict"

    def canonicalize(self, holder: Holder) -> Holder:
        """Return an entry with canonical identifiers, sorted and each once."""
        systems = self._catalogue.systems
        identifiers = (rules.canonicalize_identifier(identifier, systems) for identifier in holder.identifiers)
        return replace(holder, identifiers=tuple(sorted(set(identifiers), key=_sort_key)))

    def accept_person(self, person: Person, place: str) -> tuple[Person, tuple[str, ...]]:
        """Return a canonical entry, and the codes of its accepted faults. Raises: as `accept_faults`."""
        person = self.canonicalize(person)
        return person, self.accept_faults(place, rules.person_faults(person, today(), self._catalogue))

    def accept_practitioner(self, practitioner: Practitioner, place: str) -> tuple[Practitioner, tuple[str, ...]]:
        """Return a canonical entry, and the codes of its accepted faults. Raises: as `accept_faults`."""
        practitioner = self.canonicalize(practitioner)
        return practitioner, self.accept_faults(place, rules.practitioner_faults(practitioner, self._catalogue))

    def accept_organization(self, organization: Organization, place: str) -> tuple[Organization, tuple[str, ...]]:
        """Return a canonical entry, and the codes of its accepted faults. Raises: as `accept_faults`."""
        organization = self.canonicalize(organization)
        return organization, self.accept_faults(place, rules.organization_faults(organization, self._catalogue))

    def accept_faults(self, place: str, faults: Sequence[rules.FieldFault]) -> tuple[str, ...]:
        """Return the codes of faults that a lenient check accepts; `place` is the path of the entry.

        Raises: Problem 400 for the first fault that is refused.
        """
        for field, fault in faults:
            if fault.hard or self._strict:
                raise refuse_value(place + field, fault)
        return tuple(fault.code for _, fault in faults)

    def search_identifier(self, system: str | None, value: str) -> tuple[str | None, str]:
        """Return the system and the value of an identifier as they are searched (`system` "": of no system).

        Raises: Problem 400 when nobody could have the identifier.
        """
        identifier = rules.canonicalize_identifier(Identifier(system or "", value), self._catalogue.systems)
        if system:
            faults = rules.identifier_faults(identifier, self._catalogue.systems)
        else:
            faults = rules.text_faults(identifier.value, rules.MAX_IDENTIFIER)
        self.accept_faults("", [("identifier", fault) for fault in faults])
        return (None if system is None else identifier.system), identifier.value


def require_employers(practitioners: Sequence[Practitioner], known: Collection[UUID]) -> None:
    """Raise Problem 400 when a role is at an organisation that is not among the `known`."""
    if any(role.organization_id not in known for practitioner in practitioners for role in practitioner.roles):
        raise bad_request(
            "practitioners.roles.organization_id",
            N_("A role refers to an organisation that is not in the directory."),
            N_("Register the organisation first."),
            code="not-found",
        )


def refuse_value(place: str, fault: Fault) -> Problem:
    """Return the refusal of a value for a fault: Problem 400."""
    return bad_request(place, fault.message, N_("Correct the value and send it again."), code="value")


@contextmanager
def refuse_duplicates() -> Iterator[None]:
    """Raise Problem 409 instead of the UniqueViolationError of a statement that writes entries."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise Problem(
            409,
            "duplicate",
            N_("This identifier is already in the directory."),
            place="identifiers",
            remedy=N_("Search by the identifier and use the existing entry."),
        ) from error


def _sort_key(identifier: Identifier) -> tuple[str, str]:
    return identifier.system, identifier.value
