"""Who is who: persons, professionals and organisations, found by identifier or by name."""

from esante.identity.directory.api import capabilities
from esante.identity.directory.api import routes as api_routes
from esante.identity.directory.model import (
    Address,
    Catalogue,
    Identifier,
    Organization,
    Person,
    PersonDeceased,
    PersonQuery,
    PersonRead,
    PersonRegistered,
    PersonSearched,
    PersonUpdated,
    Practitioner,
    PractitionerRegistered,
    Role,
    System,
    Term,
)
from esante.identity.directory.patient_param import NAMING, person_meant
from esante.identity.directory.reference_data import catalogue
from esante.identity.directory.resources import (
    organization_resource,
    patient_resource,
    practitioner_resource,
    role_resource,
)
from esante.identity.directory.rules import matricule, matricule_faults, normalised
from esante.identity.directory.service import Directory

__all__ = [
    "NAMING",
    "Address",
    "Catalogue",
    "Directory",
    "Identifier",
    "Organization",
    "Person",
    "PersonDeceased",
    "PersonQuery",
    "PersonRead",
    "PersonRegistered",
    "PersonSearched",
    "PersonUpdated",
    "Practitioner",
    "PractitionerRegistered",
    "Role",
    "System",
    "Term",
    "api_routes",
    "capabilities",
    "catalogue",
    "matricule",
    "matricule_faults",
    "normalised",
    "organization_resource",
    "patient_resource",
    "person_meant",
    "practitioner_resource",
    "role_resource",
]
