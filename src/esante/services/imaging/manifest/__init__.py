"""Manifests of studies (IHE RAD MADO): one index, rendered as FHIR document and as DICOM key object selection."""

from esante.services.imaging.manifest.merkle import merkle_root

__all__ = ["merkle_root"]
