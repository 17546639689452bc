"""Migrations are applied once, and a changed one is refused."""

import pytest

from esante.core.storage import Migration, apply_migrations, migrations_in, pending_migrations
from esante.packages import PACKAGES


async def test_applied_migrations_are_not_pending_and_a_changed_one_is_refused(db):
    migrations = migrations_in(PACKAGES)
    assert migrations
    assert await apply_migrations(db, migrations) == []
    first = migrations[0]
    changed = Migration(first.package, first.number, first.name, first.sql + " ")
    with pytest.raises(ValueError, match="was changed after it was applied"):
        await pending_migrations(db, [changed])


def test_migrations_are_ordered_by_package_then_number():
    migrations = migrations_in(PACKAGES)
    packages = [name.rpartition(".")[2] for name in PACKAGES]
    keys = [(packages.index(migration.package), migration.number) for migration in migrations]
    assert keys == sorted(keys)
    assert migrations_in(["esante.core.fhir.view"]) == []
