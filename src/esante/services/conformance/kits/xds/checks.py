"""The checks of the kit of XDS.b; what each requires stands in data/requirements.toml."""

from esante.services.conformance.kits.xds import caller_checks, document_checks, query_checks

CHECKS = {**caller_checks.CHECKS, **document_checks.CHECKS, **query_checks.CHECKS}
