"""The checks of the kit of fee notes; what each requires stands in data/requirements.toml."""

from esante.services.conformance.kits.ra_pid import deposit_checks, exchange_checks, payment_checks

CHECKS = {**payment_checks.CHECKS, **deposit_checks.CHECKS, **exchange_checks.CHECKS}
