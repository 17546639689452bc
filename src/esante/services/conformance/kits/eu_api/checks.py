"""The checks of the kit of the EU Health Data API; what each requires stands in data/requirements.toml."""

from esante.services.conformance.kits.eu_api import document_checks, log_checks, sign_in_checks

CHECKS = {**sign_in_checks.CHECKS, **document_checks.CHECKS, **log_checks.CHECKS}
