"""The entries of sections: which statement of CDA is which resource of FHIR."""

from esante.core.types import Json
from esante.services.exchange.conversion.entries.entry import Entry
from esante.services.exchange.conversion.entries.medicines import DISPENSE, REQUEST, STATEMENT
from esante.services.exchange.conversion.entries.observations import OBSERVATION, PANEL, mark_category
from esante.services.exchange.conversion.entries.problems import ALLERGY, CONDITION
from esante.services.exchange.conversion.entries.treatments import DEVICE, IMMUNIZATION, PROCEDURE
from esante.services.exchange.conversion.nodes import Node

_BY_SECTION = {
    ("48765-2", "act"): ALLERGY,
    ("57828-6", "substanceAdministration"): REQUEST,
    ("11369-6", "substanceAdministration"): IMMUNIZATION,
    ("46264-8", "supply"): DEVICE,
}
_BY_ELEMENT = {
    "act": CONDITION,
    "observation": OBSERVATION,
    "organizer": PANEL,
    "procedure": PROCEDURE,
    "substanceAdministration": STATEMENT,
    "supply": DISPENSE,
}
_BY_RESOURCE = {
    "AllergyIntolerance": ALLERGY,
    "Condition": CONDITION,
    "MedicationStatement": STATEMENT,
    "MedicationRequest": REQUEST,
    "MedicationDispense": DISPENSE,
    "Immunization": IMMUNIZATION,
    "Procedure": PROCEDURE,
    "DeviceUseStatement": DEVICE,
}


def entry_of_statement(node: Node, section: str) -> Entry | None:
    """Return how a statement in a section is read; None when nobody knows."""
    found = _BY_SECTION.get((section, node.name))
    if found is not None:
        return found
    if node.name == "supply" and any(child.get("typeCode") == "DEV" for child in node.all("participant")):
        return DEVICE
    return _BY_ELEMENT.get(node.name)


def entry_of_resource(resource: Json) -> Entry | None:
    """Return how a resource is written; None when CDA has no such statement."""
    if resource["resourceType"] == "Observation":
        grouped = "hasMember" in resource or "component" in resource
        return PANEL if grouped and not any(key.startswith("value") for key in resource) else OBSERVATION
    return _BY_RESOURCE.get(resource["resourceType"])


__all__ = ["Entry", "entry_of_resource", "entry_of_statement", "mark_category"]
