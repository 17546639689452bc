"""The services of the record over the database of the test module."""

import pytest

from tests.support.record import (
    BASE,
    FHIR,
    LOCAL,
    World,
    cda,
    fhir_document,
    image,
    letter,
    open_world,
    pdf,
    reference,
    transaction,
)

__all__ = [
    "BASE",
    "FHIR",
    "LOCAL",
    "World",
    "cda",
    "fhir_document",
    "image",
    "letter",
    "open_world",
    "pdf",
    "reference",
    "transaction",
    "world",
]


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """A world over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world
