"""Contraindications and adverse events as the resources that the card writes: Condition and AdverseEvent (FHIR R4)."""

from datetime import date, datetime
from uuid import UUID

from esante.core.types import Json
from esante.services.vaccination.card.checks import ContraindicationKind
from esante.services.vaccination.card.immunization import CONTRAINDICATION_SYSTEM, SNOMED, URI

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"


def contraindication(
    kind: ContraindicationKind, key: UUID, person_id: UUID, since: date | None, note: str, recorded: datetime
) -> Json:
    """Return the Condition of a contraindication that begins on a day (None: it is not known when)."""
    resource: Json = {
        "resourceType": "Condition",
        "identifier": [{"system": URI, "value": f"urn:uuid:{key}"}],
        "clinicalStatus": _concept("condition-clinical", "active"),
        "verificationStatus": _concept("condition-ver-status", "confirmed"),
        "code": {
            "coding": [
                {"system": CONTRAINDICATION_SYSTEM, "code": kind.key, "display": kind.label},
                {"system": SNOMED, "code": kind.code},
            ],
            "text": kind.label,
        },
        "subject": {"reference": f"Patient/{person_id}"},
        "recordedDate": recorded.isoformat(timespec="seconds"),
    }
    if since:
        resource["onsetDateTime"] = since.isoformat()
    if note:
        resource["note"] = [{"text": note}]
    return resource


def adverse_event(
    key: UUID, person_id: UUID, dose_id: UUID, on: date, text: str, recorded: datetime, *, serious: bool
) -> Json:
    """Return the AdverseEvent after a dose of the person."""
    return {
        "resourceType": "AdverseEvent",
        "identifier": {"system": URI, "value": f"urn:uuid:{key}"},
        "actuality": "actual",
        "event": {"text": text},
        "subject": {"reference": f"Patient/{person_id}"},
        "date": on.isoformat(),
        "recordedDate": recorded.isoformat(timespec="seconds"),
        "seriousness": _concept("adverse-event-seriousness", "serious" if serious else "non-serious"),
        "suspectEntity": [{"instance": {"reference": f"Immunization/{person_id.hex}{dose_id.hex}"}}],
    }


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": f"{_TERMINOLOGY}/{system}", "code": code}]}
