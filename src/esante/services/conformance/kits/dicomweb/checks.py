"""The checks of the kit of DICOMweb; what each requires stands in data/requirements.toml."""

from esante.services.conformance.kits.dicomweb import retrieve_checks, search_checks, store_checks

CHECKS = {**store_checks.CHECKS, **search_checks.CHECKS, **retrieve_checks.CHECKS}
