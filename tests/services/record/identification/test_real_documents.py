"""Documents that nobody here wrote, and those of the demo: no false warning, and one for everybody else."""

from datetime import date

import pytest

from esante.demo import render_documents
from esante.demo.population.world import build_world
from esante.identity.directory import Identifier, Person
from esante.services.record.documents.content.validation import read_subject
from esante.services.record.identification.check import compare_document
from esante.services.record.identification.model import Demographics
from esante.services.record.rendering.worker_pool import WorkerPool
from tests.support.identification import anna

FHIR, CDA = "application/fhir+json", "application/hl7-cda+xml"


@pytest.fixture(scope="module")
async def workers():
    """A pool of workers for this module."""
    pool = WorkerPool()
    yield pool
    await pool.close()


def person_of(subject: Demographics) -> Person:
    """Return the person whom a document is about, as the directory of their country would have them."""
    name = subject.names[0]
    return anna(
        identifiers=tuple(Identifier(*pair) for pair in subject.identifiers),
        family=name.family,
        given=name.given,
        birth_date=date.fromisoformat(subject.birth_date),
        sex=subject.sex,
    )


async def subjects(workers, files, media_type) -> list[Demographics]:
    """Return what files say of their patients."""
    found = [(await read_subject(file.read_bytes(), media_type, workers))[0] for file in files]
    return [subject for subject in found if subject is not None]


def rates(said: list[Demographics]) -> tuple[int, int]:
    """Return for how many documents their own person, and how many other persons, would be asked about."""
    persons = [person_of(subject) for subject in said]
    own = sum(
        bool(compare_document(person, subject, "").differences) for person, subject in zip(persons, said, strict=True)
    )
    strangers = [
        (person, subject)
        for person in persons
        for subject in said
        if (person.family, person.birth_date) != (subject.names[0].family, date.fromisoformat(subject.birth_date))
    ]
    return own, sum(not compare_document(person, subject, "").differences for person, subject in strangers)


async def test_european_documents_warn_of_everybody_but_their_person(workers, shared_data):
    said = await subjects(workers, sorted((shared_data / "eu-documents").glob("*/*.json")), FHIR)
    assert len(said) == 124
    assert rates(said) == (0, 0)


async def test_documents_of_myhealth_at_eu_warn_of_everybody_but_their_person(workers, shared_data):
    files = sorted((shared_data / "ehdsi-cda").glob("*/*.xml"))
    whole = [file for file in files if b"recordTarget" in file.read_bytes()]
    said = [one for one in await subjects(workers, whole, CDA) if one.names and len(one.birth_date) == 10]
    assert len(said) >= 8
    assert rates(said) == (0, 0)


async def test_demo_documents_warn_of_everybody_but_their_person(workers):
    country = build_world(date(2026, 11, 23), seed=7, persons=60)
    own, missed, media_types = [], [], set()
    for number, citizen in enumerate(country.citizens):
        stranger = country.citizens[(number + 17) % 60].person
        for document in render_documents(country, citizen):
            subject, text = await read_subject(document.content, document.media_type, workers)
            media_types.add(document.media_type)
            if compare_document(citizen.person, subject, text).differences:
                own.append(document.id)
            if (subject or text) and not compare_document(stranger, subject, text).differences:
                missed.append(document.id)
    assert media_types >= {FHIR, CDA, "application/pdf", "text/plain"}
    assert (own, missed) == ([], [])
