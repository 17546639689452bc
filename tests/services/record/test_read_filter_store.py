"""The read filter in SQL fetches exactly what a requester may see: documents, sources, documents to index."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from esante.core.storage import uuid7
from esante.identity.access import (
    Against,
    Confidentiality,
    Consent,
    Grant,
    GrantKind,
    Opposition,
    ReadFilter,
    RecordState,
    Requester,
)
from esante.identity.access.representation.model import Capacity, CapacityKind, Representation, RepresentationKind
from esante.services.record import rules
from esante.services.record.documents import store
from esante.services.record.documents.store import document_rows
from esante.services.record.indexing import source_store
from esante.services.record.indexing.sources import Source
from esante.services.record.model import Document, Filters, Order, Status

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
PERSON, STRANGER, DOCTOR, COLLEAGUE, HOSPITAL, LABORATORY = (uuid7() for _ in range(6))
SERIES: list = []
"""Of some stored documents, to oppose that representatives are told of them."""
DAYS = [NOW.date() - timedelta(days=days) for days in range(4)]
CATEGORIES = ("letter", "laboratory_report", "of no matrix")


def make_document(number: int, level, category, author, organization, *, misfiled: bool) -> Document:
    """Return a FHIR document of the person, withdrawn where it is misfiled."""
    key = uuid7()
    return Document(
        id=key,
        person_id=PERSON,
        series_id=key,
        replaces=None,
        version=1,
        status=Status.WITHDRAWN if misfiled else Status.CURRENT,
        category=category,
        type="",
        title="",
        language="",
        event_date=NOW.date(),
        deposited_at=NOW,
        changed_at=NOW,
        author_kind="practitioner",
        author_id=author,
        author="",
        organization_id=organization,
        organization="",
        media_type="application/fhir+json",
        format="",
        size=1,
        sha256=number.to_bytes(32, "big"),
        sha1=b"",
        confidentiality=level,
        submission_id=key,
        misfiled=misfiled,
    )


def make_contribution(level, category, author, organization) -> Source:
    """Return a source of directly written resources."""
    return Source(
        id=uuid7(),
        is_document=False,
        category=category,
        confidentiality=level,
        author_kind="practitioner",
        author_id=author,
        author="",
        organization_id=organization,
        organization="",
        at=NOW,
    )


@pytest.fixture(scope="module")
async def stored(db):
    """All kinds of documents and contributions of one person, in the database."""
    kinds = list(product(Confidentiality, CATEGORIES, [PERSON, DOCTOR, HOSPITAL], [None, HOSPITAL]))
    documents = [
        structs.replace(
            make_document(2 * number + misfiled, *kind, misfiled=misfiled),
            event_date=NOW.date() - timedelta(days=number % 3),
        )
        for number, kind in enumerate(kinds)
        for misfiled in (False, True)
    ]
    SERIES.extend(document.series_id for document in documents[:12])
    contributions = [make_contribution(*kind) for kind in kinds]
    rows = [row for document in documents for row in document_rows(document, None)]
    await db.write([*rows, *(source_store.contribution_row(PERSON, one) for one in contributions)])
    return documents, contributions


ids = st.sampled_from([PERSON, STRANGER, DOCTOR, COLLEAGUE, HOSPITAL, LABORATORY])
grants = st.builds(
    Grant,
    id=st.just(uuid7()),
    person_id=st.just(PERSON),
    kind=st.sampled_from(GrantKind),
    holder_kind=st.just("practitioner"),
    holder_id=ids,
    since=st.just(NOW - timedelta(days=1)),
)
representations = st.builds(
    Representation,
    id=st.just(uuid7()),
    kind=st.sampled_from(RepresentationKind),
    representative_id=st.sampled_from([STRANGER, COLLEAGUE]),
    since=st.sampled_from(DAYS),
    until=st.sampled_from([None, *DAYS]),
)
capacities = st.builds(
    Capacity,
    id=st.just(uuid7()),
    kind=st.sampled_from(CapacityKind),
    classes=st.sampled_from([(), ("letter",)]),
    since=st.just(DAYS[3]),
)
of_care = st.builds(
    Opposition,
    id=st.just(uuid7()),
    against=st.sampled_from(Against),
    depositor_id=st.sampled_from([DOCTOR, HOSPITAL]),
    document_class=st.sampled_from(["", "letter"]),
    care_from=st.sampled_from(DAYS[1:]),
    care_until=st.sampled_from(DAYS[:2]),
)
of_documents = st.builds(
    lambda place: Opposition(id=uuid7(), against=Against.REPRESENTATIVES, series_id=SERIES[place]), st.integers(0, 11)
)
consents = st.builds(
    Consent,
    person_id=st.just(PERSON),
    state=st.sampled_from([RecordState.OPEN, RecordState.OPEN, *RecordState]),
    sharing=st.sampled_from([True, True, False]),
    grants=st.lists(grants, max_size=3).map(tuple),
    blocked=st.frozensets(ids, max_size=1),
    oppositions=st.lists(of_care | of_documents, max_size=3).map(tuple),
    representations=st.lists(representations, max_size=2).map(tuple),
    capacities=st.lists(capacities, max_size=2).map(tuple),
    deceased_at=st.sampled_from([None, None, NOW - timedelta(days=400)]),
)
professionals = st.builds(
    Requester,
    kind=st.sampled_from(["practitioner", "practitioner", "organization", "operator"]),
    id=ids,
    name=st.just("x"),
    profession=st.sampled_from(["doctor", "nurse", "laboratory", "hospital", ""]),
    organization_id=st.none() | ids,
)
patients = st.builds(
    Requester, kind=st.just("patient"), id=ids, name=st.just("x"), patient=st.sampled_from([None, PERSON, PERSON])
)


async def fetch_ids(db, wanted: ReadFilter) -> set:
    filters, first = Filters(status=()), store.FIRST[Order.DEPOSITED]
    page = await store.fetch_page(db, PERSON, wanted, filters, Order.DEPOSITED, first, 1_000)
    return {document.id for document in page}


past = Representation(
    id=uuid7(), kind=RepresentationKind.PARENT, representative_id=STRANGER, since=DAYS[3], until=DAYS[1]
)


@given(consents, professionals | patients)
@example(
    Consent(person_id=PERSON, state=RecordState.OPEN, representations=(past,)),
    Requester(kind="patient", id=PERSON, name="x"),
)
@settings(max_examples=100, phases=[Phase.explicit, Phase.reuse, Phase.generate])
async def test_only_and_all_of_what_is_visible_is_fetched(db, stored, consent, requester):
    documents, contributions = stored
    visibility = rules.Visibility(requester, consent, NOW)
    visible = {document.id for document in documents if visibility.includes(document)}
    wanted = visibility.filter
    assert await fetch_ids(db, wanted) == visible
    current = {one.id for one in documents if one.status is Status.CURRENT} & visible
    sources = (await source_store.fetch_person_sources(db, [(PERSON, wanted)])).get((PERSON, wanted))
    assert {one.id for one in sources.all if one.is_document} == current if sources else not current
    seen = {one.id for one in contributions if visibility.includes(one)}
    assert {one.id for one in sources.all if not one.is_document} == seen if sources else not seen
    unindexed = (await source_store.fetch_unindexed(db, [(PERSON, wanted)])).get((PERSON, wanted), [])
    assert {one.id for one in unindexed} == current


async def test_many_requesters_at_once_get_what_each_gets_alone(db, stored):
    documents, _ = stored
    parent = Representation(
        id=uuid7(), kind=RepresentationKind.PARENT, representative_id=STRANGER, since=DAYS[3], until=DAYS[0]
    )
    hidden = Opposition(id=uuid7(), against=Against.REPRESENTATIVES, series_id=documents[4].series_id)
    admitted = Capacity(id=uuid7(), kind=CapacityKind.DISCERNMENT, classes=("letter",), since=DAYS[3])
    open_record = Consent(
        person_id=PERSON,
        state=RecordState.OPEN,
        representations=(parent,),
        oppositions=(hidden,),
        capacities=(admitted,),
    )
    doctor = Requester(kind="practitioner", id=DOCTOR, name="x", profession="doctor")
    people = [
        doctor,
        replace(doctor, organization_id=HOSPITAL),
        replace(doctor, kind="organization", id=LABORATORY),
        replace(doctor, kind="patient", id=PERSON),
        replace(doctor, kind="patient", id=STRANGER, patient=PERSON),
        replace(doctor, kind="operator"),
    ]
    filters = [rules.Visibility(one, open_record, NOW).filter for one in people]
    keys = [(PERSON, wanted) for wanted in filters] + [(STRANGER, filters[0])]
    together = await source_store.fetch_person_sources(db, keys)
    alone = {}
    for key in keys:
        alone |= await source_store.fetch_person_sources(db, [key])
    assert {key: _ids(sources.all) for key, sources in together.items()} == {
        key: _ids(sources.all) for key, sources in alone.items()
    }
    same = documents[0].sha256
    found = await store.find_same_bytes(db, [(PERSON, same, wanted) for wanted in filters])
    assert {key[2] for key in found} == {
        wanted for one, wanted in zip(people, filters, strict=True) if sees(one, open_record, documents[0])
    }


class ExplainingDatabase:
    """A database that counts the rows that its statements scan, and returns none."""

    def __init__(self, db):
        self._db, self.scanned = db, 0

    async def fetch(self, sql, *arguments):
        [row] = await self._db.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *arguments)
        self.scanned += count_scanned(json.loads(row[0])[0]["Plan"])
        return []


def count_scanned(plan: dict) -> int:
    """Return the rows that a plan reads or removes by a filter, with all loops."""
    rows = plan["Actual Rows"] + sum(plan.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
    return int(rows * plan["Actual Loops"]) + sum(map(count_scanned, plan.get("Plans", ())))


async def test_documents_of_others_are_not_scanned_for_who_reads_only_their_own(db):
    person, author = uuid7(), uuid7()
    kind = Confidentiality.NORMAL, "letter"
    documents = [make_document(n, *kind, LABORATORY, HOSPITAL, misfiled=False) for n in range(1_000, 3_000)]
    documents.append(make_document(4_000, *kind, author, None, misfiled=False))
    moved = [structs.replace(one, person_id=person) for one in documents]
    await db.write([row for document in moved for row in document_rows(document, None)])
    await db.fetch("ANALYZE document")
    explaining, wanted = ExplainingDatabase(db), ReadFilter(author=author, organization=STRANGER)
    await store.fetch_page(explaining, person, wanted, Filters(), Order.NEWEST, store.FIRST[Order.NEWEST], 100)
    await source_store.fetch_person_sources(explaining, [(person, wanted)])
    await source_store.fetch_unindexed(explaining, [(person, wanted)])
    assert 0 < explaining.scanned < 50


def sees(requester, consent, document) -> bool:
    return document.status is Status.CURRENT and rules.Visibility(requester, consent, NOW).includes(document)


def _ids(sources):
    return sorted(source.id for source in sources)
