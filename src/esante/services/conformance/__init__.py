"""Software: its attestation, its vendors, the kits that test it, the labels that it earns, the public lists."""

from esante.services.conformance.kits.run_model import RunEnded
from esante.services.conformance.labels.model import (
    LabelApplied,
    LabelEnded,
    LabelGranted,
    LabelReviewed,
)
from esante.services.conformance.model import (
    AttestationChanged,
    PhasePassed,
    ProductRegistered,
    VersionRegistered,
)
from esante.services.conformance.service import Conformance
from esante.services.conformance.vendors.model import VendorRegistered

__all__ = [
    "AttestationChanged",
    "Conformance",
    "LabelApplied",
    "LabelEnded",
    "LabelGranted",
    "LabelReviewed",
    "PhasePassed",
    "ProductRegistered",
    "RunEnded",
    "VendorRegistered",
    "VersionRegistered",
]
