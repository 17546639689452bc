"""Journals on databases of a test's own."""

import pytest

from esante.core.journal import Cosigner
from esante.core.storage import uuid7
from tests.conftest import create_database, open_journal
from tests.support.cosigned_journal import NAME, URL, served_witness
from tests.support.first_format import FirstFormat
from tests.support.journal_entries import append_texts


@pytest.fixture
async def journal(server, tmp_path):
    """An empty journal; nothing is sealed unless the test does it."""
    async with open_journal(await create_database(server), tmp_path) as journal:
        yield journal


@pytest.fixture
async def sealed_journal(journal):
    """A journal with 40 sealed entries of one person, `journal.person`."""
    journal.person = uuid7()
    for number in range(40):
        await append_texts(journal, journal.person, f"text {number}")
    await journal.sealer.seal_all()
    return journal


@pytest.fixture
async def old_journal(journal):
    """A journal of the version before with 40 sealed entries of `journal.person`; `journal.first` appends more."""
    journal.person, journal.first = uuid7(), FirstFormat(journal)
    await journal.first.append_texts(journal.person, *(f"text {number}" for number in range(40)))
    await journal.first.seal()
    return journal


@pytest.fixture
async def cosigned_journal(server, tmp_path):
    """A journal with 40 sealed entries of `journal.person` and a witness, `journal.witness`."""
    cosigner = Cosigner.open(tmp_path / "witness.pem", NAME)
    dsn = await create_database(server)
    async with open_journal(dsn, tmp_path / "journal", f"{cosigner.verifier} {URL}") as journal:
        journal.person = uuid7()
        await append_texts(journal, journal.person, *(f"text {number}" for number in range(40)))
        await journal.sealer.seal_all()
        async with served_witness(journal, cosigner, tmp_path / "witness") as witness:
            journal.witness = witness
            yield journal
