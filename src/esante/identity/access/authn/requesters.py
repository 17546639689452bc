"""Requesters: made of entries of the directory, and as sessions and tokens store them."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import N_, Problem
from esante.identity.access.model import Authentication, Delegate, Requester
from esante.identity.directory import Organization, Person, Practitioner


def requester_of(
    holder: Person | Practitioner | Organization, organization: Organization | None = None, profession: str = ""
) -> Requester:
    """Return a person, a practitioner (acting for `organization`) or an organisation as a requester.

    `profession`: of several roles at the organisation, the one in which the practitioner acts ("": the first).
    """
    if isinstance(holder, Person):
        return Requester(kind="patient", id=holder.id, name=holder.name)
    if isinstance(holder, Organization):
        return Requester(
            kind="organization",
            id=holder.id,
            name=holder.name,
            profession=holder.kind,
            organization_id=holder.id,
            organization=holder.name,
        )
    return Requester(
        kind="practitioner",
        id=holder.id,
        name=holder.name,
        profession=_profession(holder, organization, profession),
        organization_id=organization.id if organization else None,
        organization=organization.name if organization else "",
    )


def delegate_requester(delegate: Practitioner, professional: Practitioner, organization: Organization) -> Requester:
    """Return a professional at work as a requester in whose name a delegate acts."""
    return replace(requester_of(professional, organization), delegate=Delegate(delegate.id, delegate.name))


def require_operator(requester: Requester) -> None:
    """Raise Problem 403 for a requester who is not an operator."""
    if requester.kind != "operator":
        raise Problem(403, "forbidden", N_("Only agency staff can do this."))


def principal_of(requester: Requester) -> Json:
    """Return a requester as sessions and tokens store it."""
    return {
        "kind": requester.kind,
        "id": str(requester.id),
        "name": requester.name,
        "profession": requester.profession,
        "organization_id": str(requester.organization_id) if requester.organization_id else None,
        "organization": requester.organization,
        "client": requester.client,
        "patient": str(requester.patient) if requester.patient else None,
        "client_id": requester.client_id,
        "delegate": [str(requester.delegate.id), requester.delegate.name] if requester.delegate else None,
        "authentication": _authentication_json(requester.authentication),
    }


def requester_from_principal(principal: Json, origin: str = "") -> Requester:
    """Return the requester of a stored principal (see `principal_of`)."""
    organization_id, patient = principal.get("organization_id"), principal.get("patient")
    delegate, authentication = principal.get("delegate"), principal.get("authentication")
    return Requester(
        kind=principal["kind"],
        id=UUID(principal["id"]),
        name=principal["name"],
        profession=principal.get("profession", ""),
        organization_id=UUID(organization_id) if organization_id else None,
        organization=principal.get("organization", ""),
        client=principal.get("client", ""),
        patient=UUID(patient) if patient else None,
        client_id=principal.get("client_id", ""),
        delegate=Delegate(UUID(delegate[0]), delegate[1]) if delegate else None,
        origin=origin,
        authentication=_authentication_of(authentication) if authentication else None,
    )


def _authentication_json(found: Authentication | None) -> Json | None:
    if found is None:
        return None
    return {
        "method": found.method,
        "at": found.at.isoformat(),
        "assurance": found.assurance,
        "provider": found.provider,
        "device": found.device,
    }


def _authentication_of(stored: Json) -> Authentication:
    return Authentication(**stored | {"at": datetime.fromisoformat(stored["at"])})


def _profession(practitioner: Practitioner, organization: Organization | None, wanted: str) -> str:
    """Return the profession in which a practitioner acts: of a role at the organisation, or else their own."""
    day = today()
    found = [
        role.profession
        for role in practitioner.roles
        if organization and role.organization_id == organization.id and role.is_in_force(day)
    ]
    return wanted if wanted in found else (found or [practitioner.profession])[0]
