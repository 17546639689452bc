"""The commands of the conformance of software."""

from esante.services.conformance.kits.cli import conformance

__all__ = ["conformance"]
