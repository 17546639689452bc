"""The checks of the kit of SMART App Launch; what each requires stands in data/requirements.toml."""

from esante.services.conformance.kits.smart import app_checks, discovery_checks, software_checks

CHECKS = {**discovery_checks.CHECKS, **app_checks.CHECKS, **software_checks.CHECKS}
