"""The directory: persons, professionals and organisations, found by identifier or by name."""

from esante.identity.directory.api import capabilities
from esante.identity.directory.api import routes as api_routes
from esante.identity.directory.comparison.namesakes import NameKey, Namesakes
from esante.identity.directory.functions.model import (
    Delegation,
    DelegationChanged,
    ReferringDoctor,
    ReferringDoctorChanged,
)
from esante.identity.directory.lookups import (
    Lookup,
    Lookups,
    Motive,
    UnlimitedLookups,
    current_motive,
    stated_motive,
)
from esante.identity.directory.merging.model import MergeLinks, PersonsMerged, PersonsSeparated
from esante.identity.directory.merging.relation import MergeRelation
from esante.identity.directory.model import (
    Address,
    Catalogue,
    HolderRestored,
    HolderSuspended,
    Identifier,
    Organization,
    OrganizationRegistered,
    Person,
    PersonDeceased,
    PersonQuery,
    PersonRead,
    PersonRegistered,
    PersonSearched,
    PersonUpdated,
    Practitioner,
    PractitionerRegistered,
    ProfessionalsRead,
    Role,
    System,
    Term,
)
from esante.identity.directory.patient_param import PATIENT_PARAMETERS, resolve_patient
from esante.identity.directory.reference_data import canton_of, catalogue
from esante.identity.directory.resources import (
    organization_resource,
    patient_resource,
    practitioner_resource,
    role_resource,
)
from esante.identity.directory.rules import matricule, matricule_faults, normalize_name
from esante.identity.directory.service import Directory

__all__ = [
    "PATIENT_PARAMETERS",
    "Address",
    "Catalogue",
    "Delegation",
    "DelegationChanged",
    "Directory",
    "HolderRestored",
    "HolderSuspended",
    "Identifier",
    "Lookup",
    "Lookups",
    "MergeLinks",
    "MergeRelation",
    "Motive",
    "NameKey",
    "Namesakes",
    "Organization",
    "OrganizationRegistered",
    "Person",
    "PersonDeceased",
    "PersonQuery",
    "PersonRead",
    "PersonRegistered",
    "PersonSearched",
    "PersonUpdated",
    "PersonsMerged",
    "PersonsSeparated",
    "Practitioner",
    "PractitionerRegistered",
    "ProfessionalsRead",
    "ReferringDoctor",
    "ReferringDoctorChanged",
    "Role",
    "System",
    "Term",
    "UnlimitedLookups",
    "api_routes",
    "canton_of",
    "capabilities",
    "catalogue",
    "current_motive",
    "matricule",
    "matricule_faults",
    "normalize_name",
    "organization_resource",
    "patient_resource",
    "practitioner_resource",
    "resolve_patient",
    "role_resource",
    "stated_motive",
]
