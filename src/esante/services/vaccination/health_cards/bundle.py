"""The minimal FHIR Bundle of a card: who, and which vaccines on which days.

Source: HL7 SMART Health Cards and Links 1.0.0, "Payload content minified for QR codes"; SMART Health Cards:
Vaccination & Testing, the data minimisation profiles.
"""

from collections.abc import Sequence

from esante.core.types import Json
from esante.identity.directory import Person
from esante.services.vaccination.card.immunization import ATC, CVX
from esante.services.vaccination.card.model import Dose

MAX_PERFORMER = 40
"""Characters of the name of who gave a dose."""


def is_provable(dose: Dose) -> bool:
    """Return whether a dose can be on a card: a professional stands for it, and its vaccine and date are known."""
    return dose.is_given and dose.confirmed and bool(dose.occurred) and bool(dose.cvx or dose.atc)


def minimal_bundle(person: Person, doses: Sequence[Dose]) -> Json:
    """Return the Bundle of a person and their doses, the oldest first, with nothing that the profiles do not need."""
    ordered = sorted(doses, key=lambda dose: dose.occurred)
    patient = {
        "resourceType": "Patient",
        "name": [{"family": person.family, "given": [*person.given]}],
        "birthDate": person.birth_date.isoformat(),
    }
    resources = [patient, *map(_immunization, ordered)]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": f"resource:{index}", "resource": one} for index, one in enumerate(resources)],
    }


def _immunization(dose: Dose) -> Json:
    codes = [(CVX, code) for code in dose.cvx] or [(ATC, dose.atc)]
    resource: Json = {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": [{"system": system, "code": code} for system, code in codes]},
        "patient": {"reference": "resource:0"},
        "occurrenceDateTime": dose.occurred[:10],
    }
    if name := dose.place or dose.performer:
        resource["performer"] = [{"actor": {"display": name[:MAX_PERFORMER]}}]
    if dose.lot:
        resource["lotNumber"] = dose.lot
    return resource
