"""Fee notes and payments over this module's database."""

from tests.services.billing.pid.conftest import balanced, world

__all__ = ["balanced", "world"]
