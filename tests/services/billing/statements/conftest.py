"""Fee notes and payments over this module's database."""

from tests.services.billing.pid.conftest import world

__all__ = ["world"]
