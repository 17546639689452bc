"""Directory entries as FHIR R4 resources: Patient, Practitioner, PractitionerRole, Organization."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from esante.core.types import Json
from esante.identity.directory.merging.model import MergeLinks
from esante.identity.directory.model import (
    Address,
    Catalogue,
    Identifier,
    Organization,
    Person,
    Practitioner,
    Role,
    Term,
)

NOT_MERGED = MergeLinks()


def patient_resource(person: Person, catalogue: Catalogue, links: MergeLinks = NOT_MERGED) -> Json:
    """Return a person as a Patient (IHE PDQm, section 2:3.78.4.2).

    `links`: an entry that was merged into another one is not active, and names it (FHIR R4, patient.html, "link").
    """
    return _without_empty(
        {
            "resourceType": "Patient",
            "id": str(person.id),
            "identifier": _identifiers(person.identifiers, catalogue),
            "active": links.replaced_by is None,
            "name": [_name(person.family, person.given)],
            "gender": person.sex,
            "birthDate": person.birth_date.isoformat(),
            "deceasedDateTime": _instant(person.deceased_at) if person.deceased_at else None,
            "address": _addresses(person.address),
            "communication": [{"language": _language(code)} for code in person.languages],
            "link": _links(links),
        }
    )


def _links(links: MergeLinks) -> list[Json]:
    found = [(links.replaced_by, "replaced-by")] if links.replaced_by else []
    found += [(other, "replaces") for other in links.replaces]
    return [{"other": {"reference": f"Patient/{other}"}, "type": type_} for other, type_ in found]


def practitioner_resource(practitioner: Practitioner, catalogue: Catalogue) -> Json:
    """Return a practitioner as a Practitioner; profession and specialities are qualifications."""
    concepts = _concepts([practitioner.profession], catalogue.professions, catalogue.profession_system)
    concepts += _concepts(practitioner.specialities, catalogue.specialities, catalogue.speciality_system)
    return _without_empty(
        {
            "resourceType": "Practitioner",
            "id": str(practitioner.id),
            "identifier": _identifiers(practitioner.identifiers, catalogue),
            "active": True,
            "name": [_name(practitioner.family, practitioner.given, practitioner.title)],
            "qualification": [{"code": concept} for concept in concepts],
            "communication": [_language(code) for code in practitioner.languages],
        }
    )


def role_resource(
    practitioner: Practitioner, role: Role, organization: Organization | None, catalogue: Catalogue, today: date
) -> Json:
    """Return a role as a PractitionerRole; the end of a FHIR period is its last day, and `until` the day after."""
    period = {"start": role.since.isoformat()}
    if role.until is not None:
        period["end"] = max(role.since, role.until - timedelta(days=1)).isoformat()
    employer = {"reference": f"Organization/{role.organization_id}"}
    if organization:
        employer["display"] = organization.name
    return _without_empty(
        {
            "resourceType": "PractitionerRole",
            "id": str(role.id),
            "active": role.is_in_force(today),
            "period": period,
            "practitioner": {"reference": f"Practitioner/{practitioner.id}", "display": practitioner.name},
            "organization": employer,
            "code": _concepts([role.profession], catalogue.professions, catalogue.profession_system),
            "specialty": _concepts(role.specialities, catalogue.specialities, catalogue.speciality_system),
        }
    )


def organization_resource(organization: Organization, catalogue: Catalogue) -> Json:
    """Return an organisation as an Organization."""
    return _without_empty(
        {
            "resourceType": "Organization",
            "id": str(organization.id),
            "identifier": _identifiers(organization.identifiers, catalogue),
            "active": True,
            "type": _concepts([organization.kind], catalogue.organization_kinds, catalogue.profession_system),
            "name": organization.name,
            "address": _addresses(organization.address),
        }
    )


def _without_empty(resource: Json) -> Json:
    """Return a resource without the elements that have no value: FHIR allows no empty element."""
    return {name: value for name, value in resource.items() if value not in (None, "", [], {})}


def _identifiers(identifiers: Iterable[Identifier], catalogue: Catalogue) -> list[Json]:
    listed = {system.uri for system in catalogue.systems}
    return [
        {
            **({"use": "official"} if identifier.system in listed else {}),
            "system": identifier.system,
            "value": identifier.value,
        }
        for identifier in identifiers
    ]


def _name(family: str, given: Sequence[str], title: str = "") -> Json:
    prefix = [title] if title else []
    return _without_empty({"use": "official", "family": family, "given": list(given), "prefix": prefix})


def _addresses(address: Address) -> list[Json]:
    if not (address.line or address.postal_code or address.city):
        return []
    lines = [address.line] if address.line else []
    parts = {"line": lines, "city": address.city, "postalCode": address.postal_code, "country": address.country}
    return [_without_empty(parts)]


def _language(code: str) -> Json:
    return {"coding": [{"system": "urn:ietf:bcp:47", "code": code}]}


def _concepts(keys: Iterable[str], terms: dict[str, Term], system: str) -> list[Json]:
    """Return CodeableConcepts; a key that is no longer in the list is its own label."""
    labels = [(key, terms[key].label if key in terms else key) for key in keys]
    return [{"coding": [{"system": system, "code": key, "display": label}], "text": label} for key, label in labels]


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
