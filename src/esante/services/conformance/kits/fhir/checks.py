"""The checks of the kit of FHIR R4; what each requires stands in data/requirements.toml."""

from esante.services.conformance.kits.fhir import error_checks, search_checks, write_checks

CHECKS = {**write_checks.CHECKS, **search_checks.CHECKS, **error_checks.CHECKS}
