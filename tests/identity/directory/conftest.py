"""The directory on a real database."""

import pytest

from esante.identity.directory import Directory


@pytest.fixture(scope="module")
def directory(db, journal):
    return Directory(db, journal)


@pytest.fixture(scope="module")
def strict(db, journal):
    return Directory(db, journal, "strict")
