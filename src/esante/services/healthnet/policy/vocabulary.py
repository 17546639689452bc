"""The kinds of site and the professions of the country: those of the directory, and the agency's platform."""

from esante.identity.directory import catalogue
from esante.services.healthnet.policy.model import PLATFORM
from esante.services.healthnet.policy.parser import Vocabulary


def national_vocabulary() -> Vocabulary:
    """Return what policies may name."""
    found = catalogue()
    return Vocabulary(kinds=frozenset({*found.organization_kinds, PLATFORM}), professions=frozenset(found.professions))
