"""The attestation of software: products and versions, the two phases of tests, the public list."""

from esante.services.conformance.model import (
    AttestationChanged,
    PhasePassed,
    ProductRegistered,
    VersionRegistered,
)
from esante.services.conformance.service import Conformance

__all__ = ["AttestationChanged", "Conformance", "PhasePassed", "ProductRegistered", "VersionRegistered"]
