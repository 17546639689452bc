"""Resources of the FHIR interface: patients (PDQm, ITI-78), documents (MHD, ITI-67), errors. Pure."""

from esante.core.types import Json
from esante.services.exchange.connector import Offered
from esante.services.exchange.hl7v3.model import FoundPatient

_GENDERS = {"M": "male", "F": "female", "UN": "other"}
_LOINC = "http://loinc.org"
CODES = "https://esante.lu/fhir/CodeSystem/contact-point-error"


def patient_resource(found: FoundPatient) -> Json:
    """Return a patient as another country learns of them."""
    name: Json = {"family": found.family}
    if found.given:
        name["given"] = list(found.given)
    resource: Json = {
        "resourceType": "Patient",
        "id": found.ids[0].extension,
        "identifier": [{"system": f"urn:oid:{one.root}", "value": one.extension} for one in found.ids],
        "name": [name],
    }
    if found.gender:
        resource["gender"] = _GENDERS.get(found.gender, "unknown")
    if len(found.birth) == 8:
        resource["birthDate"] = f"{found.birth[:4]}-{found.birth[4:6]}-{found.birth[6:]}"
    return resource


def document_resource(one: Offered, system: str, value: str, base_url: str) -> Json:
    """Return the DocumentReference of a document that is offered as a Bundle; `system`, `value`: of its patient."""
    coding = [{"system": _LOINC, "code": one.offer.class_code, "display": one.offer.display}]
    key = one.unique_id.partition("^")[0]
    resource: Json = {
        "resourceType": "DocumentReference",
        "id": key.rpartition(".")[2],
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{key}"},
        "status": "current",
        "type": {"coding": coding},
        "category": [{"coding": coding}],
        "subject": {"identifier": {"system": system, "value": value}},
        "date": one.created_at.isoformat(),
        "content": [
            {
                "attachment": {
                    "contentType": "application/fhir+json",
                    "language": one.language,
                    "url": f"{base_url}/Bundle/{key.rpartition('.')[2]}",
                    "title": one.title,
                    "creation": one.created_at.isoformat(),
                }
            }
        ],
    }
    if one.author:
        resource["author"] = [{"display": one.author}]
    return resource


def outcome(code: str, text: str, issue: str) -> Json:
    """Return the OperationOutcome of an error, by its code at contact points; `issue`: a FHIR issue-type."""
    details = {"coding": [{"system": CODES, "code": code}], "text": text}
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": issue, "details": details}],
    }


def capability_statement(base_url: str, at: str) -> Json:
    """Return what the FHIR interface answers."""

    def resource(kind: str, *codes: str, **search: str) -> Json:
        found: Json = {"type": kind, "interaction": [{"code": code} for code in codes]}
        if search:
            found["searchParam"] = [{"name": name.replace("_", "."), "type": kind} for name, kind in search.items()]
        return found

    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": at,
        "kind": "instance",
        "implementation": {"description": "National contact point", "url": base_url},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "Mutual TLS, and a JWT with the assertions as Bearer token"},
                "resource": [
                    resource("Patient", "search-type", identifier="token", family="string", birthdate="date"),
                    resource(
                        "DocumentReference", "search-type", patient_identifier="token", type="token", category="token"
                    ),
                    resource("Bundle", "read"),
                ],
            }
        ],
    }
