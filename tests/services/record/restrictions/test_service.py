"""Restricted lines for each kind of requester, through every way of reading."""

import asyncio
import base64
import hashlib

import orjson
import pytest

from esante.core import clock
from esante.core.fhir import decode
from esante.core.storage import INLINE_LIMIT
from esante.identity.access import Confidentiality, requester_of
from esante.services.record import Deposit, Filters, LinesRestricted, Span
from esante.services.record.documents.store import find_same_bytes
from esante.services.record.rules import Visibility
from tests.support.record import BASE, refusal_of
from tests.support.summaries import SECRET, build_summary, summary_bytes, token_of

HIDDEN, RESTRICTED = Confidentiality.HIDDEN, Confidentiality.RESTRICTED


class Case:
    """A summary of the hospital in a person's record, and who reads it."""

    def __init__(self, world, person, document, content):
        self.world, self.record, self.person, self.document, self.content = (
            world,
            world.record,
            person,
            document,
            content,
        )
        self.patient, self.hospital, self.doctor = (
            requester_of(person),
            world.people["hospital"],
            world.people["doctor"],
        )

    async def restrict(self, *names, level=HIDDEN, by=None, document=None):
        bundle = decode(self.content)
        tokens = [token_of(bundle, name) for name in names]
        key = (document or self.document).id
        return await self.record.restrictions.restrict(by or self.patient, self.person.id, key, tokens, level)

    async def read(self, by, document=None):
        found, content = await self.record.content(by, self.person.id, (document or self.document).id)
        assert (found.size, found.sha256) == (len(content), hashlib.sha256(content).digest())
        assert found.sha1 == hashlib.sha1(content).digest()
        return content

    async def conditions(self, by):
        async with self.world.client(by) as client:
            response = await client.get("/fhir/Condition", params={"patient": f"Patient/{self.person.id}"})
            found = [entry["resource"] for entry in response.json().get("entry", ())]
        return sorted(one["code"]["text"] for one in found if one["resourceType"] == "Condition")

    async def deposit(self, content, by=None, replaces=None, **meta):
        by = by or self.hospital
        return await self.record.deposit(by, self.person.id, content, Deposit(confirmation="", **meta), replaces)


async def open_case(world, **options):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    content = summary_bytes(**options)
    deposit = Deposit(confirmation="")
    document = (await world.record.deposit(world.people["hospital"], person.id, content, deposit)).document
    return Case(world, person, document, content)


@pytest.fixture
async def case(world):
    return await open_case(world)


async def test_others_read_the_document_without_the_line_and_its_person_and_author_with_it(case):
    await case.restrict("bipolar")
    assert SECRET.encode() not in await case.read(case.doctor)
    for by in (case.patient, case.hospital):
        assert await case.read(by) == case.content


async def test_lifted_restriction_gives_back_the_same_bytes_and_resources(case):
    before = await case.conditions(case.doctor)
    async with case.world.client(case.doctor) as client:
        path = f"/fhir/Patient/{case.person.id}/$everything?_count=100"
        everything = (await client.get(path)).json()["entry"]
        await case.restrict("bipolar")
        assert await case.conditions(case.doctor) == ["Asthma"]
        await case.restrict()
        assert (await client.get(path)).json()["entry"] == everything
    assert await case.read(case.doctor) == case.content
    assert await case.conditions(case.doctor) == before == ["Asthma", SECRET]


@pytest.mark.parametrize("indexed_before", [True, False])
async def test_resources_are_found_with_the_line_by_its_person_and_author_only(case, indexed_before):
    if indexed_before:
        await case.conditions(case.patient)
    await case.restrict("bipolar")
    assert await case.conditions(case.doctor) == ["Asthma"]
    for by in (case.patient, case.hospital):
        assert await case.conditions(by) == ["Asthma", SECRET]


async def test_restricted_resource_is_absent_in_every_interaction(case):
    async with case.world.client(case.patient) as client:
        found = await client.get("/fhir/Condition", params={"patient": f"Patient/{case.person.id}"})
        resource = next(one["resource"] for one in found.json()["entry"] if one["resource"]["code"]["text"] == SECRET)
    await case.restrict("bipolar")
    path, absent = f"Condition/{resource['id']}", f"Condition/{case.person.id.hex}{'0' * 32}"
    tag = resource["meta"]["versionId"]
    async with case.world.client(case.doctor) as client:
        for shape in ("{}", "{}/_history", f"{{}}/_history/{tag}", "Provenance?target={}", "Condition?_id={}"):
            hidden, none = [(await client.get(f"/fhir/{shape.format(one)}")) for one in (path, absent)]
            assert hidden.status_code == none.status_code
            assert hidden.text.replace(resource["id"], "X") == none.text.replace(absent[10:], "X"), shape
        for method in ("PUT", "DELETE", "PATCH"):
            body = resource | {"note": [{"text": "x"}]} if method == "PUT" else None
            other = dict(body, id=absent[10:]) if body else None
            answers = [
                await client.request(
                    method, f"/fhir/{one}", json=sent, headers={"Content-Type": "application/fhir+json"}
                )
                for one, sent in ((path, body), (absent, other))
            ]
            assert answers[0].status_code == answers[1].status_code, method
            texts = [one.text.replace(path[10:], "X").replace(absent[10:], "X") for one in answers]
            assert texts[0] == texts[1], method


async def test_person_reads_provenance_and_document_of_a_restricted_resource(case):
    await case.restrict("bipolar")
    async with case.world.client(case.patient) as client:
        found = await client.get("/fhir/Condition", params={"patient": f"Patient/{case.person.id}"})
        resource = next(one["resource"] for one in found.json()["entry"] if one["resource"]["code"]["text"] == SECRET)
        response = await client.get(f"/fhir/Condition/{resource['id']}")
        assert response.headers["etag"] == f'W/"{response.json()["meta"]["versionId"]}"'
        provenance = (await client.get(f"/fhir/Provenance?target=Condition/{resource['id']}")).json()
        [entity] = provenance["entry"][0]["resource"]["entity"]
        assert entity["what"]["reference"] == f"DocumentReference/{case.document.key}"
        composition = (await client.get(f"/fhir/Composition?patient=Patient/{case.person.id}")).json()
        key = composition["entry"][0]["resource"]["id"]
        assert (await client.get(f"/fhir/Composition/{key}/$document")).content == case.content


async def test_metadata_agrees_with_the_bytes_for_everybody(case):
    await case.restrict("bipolar")
    for by in (case.doctor, case.patient, case.hospital):
        async with case.world.client(by) as client:
            reference = (await client.get(f"/fhir/DocumentReference/{case.document.key}")).json()
            [entry] = (
                await client.get("/fhir/DocumentReference", params={"patient": f"Patient/{case.person.id}"})
            ).json()["entry"]
            assert entry["resource"] == reference
            attachment = reference["content"][0]["attachment"]
            response = await client.get(attachment["url"].removeprefix(BASE))
            assert attachment["size"] == len(response.content)
            assert attachment["hash"] == base64.b64encode(hashlib.sha1(response.content).digest()).decode()
            assert response.headers["etag"] == f'"{hashlib.sha256(response.content).hexdigest()}"'
            assert reference["meta"]["lastUpdated"] == reference["date"]


async def test_copies_for_export_are_of_what_each_may_see(case):
    await case.restrict("bipolar")
    extracts = case.record.extracts
    for by, expected in ((case.patient, True), (case.hospital, True), (case.doctor, False)):
        view = await extracts.load_view(by, case.person.id)
        [document], _ = await extracts.read_documents(view, Span(None, clock.now()), "")
        content = await extracts.read_content(view, document)
        assert (SECRET.encode() in content) is expected
        page = await extracts.read_resources(view, {"Condition": [()]}, Span(None, clock.now()), "")
        assert any(SECRET.encode() in one.body for one in page.copies) is expected


async def test_circle_sees_lines_that_are_restricted_to_it(case):
    await case.restrict("bipolar", level=RESTRICTED)
    assert await case.read(case.doctor) == case.content
    await case.world.access.stays.admit(case.world.people["hospital"], case.person.id)
    other = case.world.people["other"]
    await case.world.access.codes.redeem(other, await case.world.access.codes.issue(case.patient))
    assert SECRET.encode() not in await case.read(other)


async def test_emergency_access_reaches_lines_of_the_circle_and_not_hidden_ones(case):
    other = case.world.people["other"]
    await case.world.access.emergencies.declare(
        other, case.person.identifiers[0].value, case.person.birth_date, "Bewusstlos aufgefunden"
    )
    await case.restrict("bipolar", level=RESTRICTED)
    assert SECRET.encode() in await case.read(other)
    await case.restrict("bipolar", level=HIDDEN)
    assert SECRET.encode() not in await case.read(other)


async def test_only_the_person_restricts_lines(case):
    for by in (case.doctor, case.hospital):
        assert await refusal_of(case.restrict("bipolar", by=by)) == (403, "forbidden")
    assert await refusal_of(case.restrict("bipolar", by=case.world.people["other"])) == (404, "not-found")
    parent = await case.world.parent_of(case.person)
    assert await refusal_of(case.restrict("bipolar", by=parent)) in ((404, "not-found"), (403, "forbidden"))
    assert await case.conditions(case.doctor) == ["Asthma", SECRET]


async def test_line_that_the_document_does_not_have_is_refused(case):
    for token in ("entry/0", "entry/1", "entry/77", "section/9", "x"):
        act = case.record.restrictions.restrict(case.patient, case.person.id, case.document.id, [token], HIDDEN)
        assert await refusal_of(act) == (422, "value")


async def test_lines_of_other_kinds_of_documents_are_refused(case):
    other = (await case.deposit(b"Text", type="51852-2")).document
    act = case.record.restrictions.restrict(case.patient, case.person.id, other.id, ["entry/2"], HIDDEN)
    assert await refusal_of(act) == (422, "not-supported")


async def test_next_version_is_deposited_without_the_restricted_lines(case):
    await case.restrict("bipolar")
    content = summary_bytes(edition="2")
    deposited = await case.deposit(content, replaces=case.document.id)
    second = deposited.document
    assert (second.size, second.sha256) == (len(content), hashlib.sha256(content).digest())
    assert await case.read(case.hospital, second) == content
    assert SECRET.encode() not in await case.read(case.doctor, second)
    assert await case.conditions(case.doctor) == ["Asthma"]
    assert await case.conditions(case.patient) == ["Asthma", SECRET]


async def test_next_version_that_cannot_be_divided_is_restricted_as_a_whole(case):
    await case.restrict("bipolar")
    second = (await case.deposit(f"Text {SECRET}".encode(), replaces=case.document.id, type="60591-5")).document
    assert second.confidentiality is HIDDEN
    assert await refusal_of(case.read(case.doctor, second)) == (404, "not-found")


async def test_earlier_versions_are_restricted_too(case):
    second = (await case.deposit(summary_bytes(edition="2"), replaces=case.document.id)).document
    assert await refusal_of(case.restrict("bipolar")) == (409, "conflict")
    await case.restrict("bipolar", document=second)
    for version in (case.document, second):
        assert SECRET.encode() not in await case.read(case.doctor, version)
    await case.restrict(document=second)
    for version in (case.document, second):
        assert SECRET.encode() in await case.read(case.doctor, version)


async def test_same_bytes_again_are_the_same_document_for_its_author(case):
    await case.restrict("bipolar")
    again = await case.deposit(case.content)
    assert (again.created, again.document.id) == (False, case.document.id)
    assert again.document.sha256 == hashlib.sha256(case.content).digest()


async def test_same_bytes_from_another_who_reads_them_are_the_same_document(case):
    await case.restrict("bipolar")
    given = await case.read(case.doctor)
    again = await case.deposit(given, by=case.doctor)
    assert (again.created, again.document.id) == (False, case.document.id)
    assert again.document.sha256 == hashlib.sha256(given).digest()


async def test_bytes_that_another_does_not_read_are_a_new_document_of_theirs(case):
    await case.restrict("bipolar")
    again = await case.deposit(case.content, by=case.doctor)
    assert again.created
    filter_ = Visibility(
        case.doctor, await case.world.access.consent(case.person.id), again.document.deposited_at
    ).filter
    digest = hashlib.sha256(case.content).digest()
    found = await find_same_bytes(case.world.db, [(case.person.id, digest, filter_)])
    assert [one.id for [one] in found.values()] == [again.document.id]


async def test_two_documents_that_are_alike_without_their_lines_stay_two(world):
    case = await open_case(world)
    other_bundle = build_summary()
    index = int(token_of(other_bundle, "bipolar")[6:])
    other_bundle["entry"][index]["resource"]["recordedDate"] = "2024-01-01"
    other = (await case.deposit(orjson.dumps(other_bundle))).document
    for document in (case.document, other):
        await case.restrict("bipolar", document=document)
    timeline = await case.record.timeline(case.doctor, case.person.id)
    assert {one.id for one in timeline.documents} == {case.document.id, other.id}


async def test_content_in_the_object_store_is_kept_for_both(world):
    case = await open_case(world, extra="Lang. " * (INLINE_LIMIT // 5))
    await case.restrict("bipolar")
    assert await case.read(case.patient) == case.content
    assert SECRET.encode() not in await case.read(case.doctor)
    await case.restrict()
    assert await case.read(case.doctor) == case.content


async def test_layout_of_the_bytes_is_that_of_the_author(world):
    case = await open_case(world)
    pretty = orjson.dumps(build_summary(edition="9"), option=orjson.OPT_INDENT_2)
    document = (await case.deposit(pretty)).document
    await case.restrict("bipolar", document=document)
    assert (await case.read(case.doctor, document)).startswith(pretty[:60])


async def test_withdrawn_document_stays_without_the_line(case):
    await case.restrict("bipolar")
    withdrawn = await case.record.withdraw(case.hospital, case.person.id, case.document.id, "Fehler")
    assert withdrawn.sha256 == hashlib.sha256(case.content).digest()
    assert SECRET.encode() not in await case.read(case.doctor)
    assert await case.conditions(case.doctor) == []


async def test_moved_document_arrives_whole(case):
    await case.restrict("bipolar")
    right = await case.world.person()
    moved = await case.record.correct_person(
        case.hospital, case.person.id, case.document.id, right.id, "Verwechselt", confirmed=True
    )
    _, content = await case.record.content(requester_of(right), right.id, moved.id)
    assert content == case.content
    assert await refusal_of(case.read(case.doctor)) == (404, "not-found")


async def test_restriction_is_listed_for_its_person_only_and_journalled(case):
    await case.restrict("bipolar")
    [listed] = await case.record.restrictions.list_restricted(case.patient, case.person.id)
    assert listed.tokens == (token_of(decode(case.content), "bipolar"),)
    for by in (case.doctor, case.hospital):
        assert await case.record.restrictions.list_restricted(by, case.person.id) == []
    await case.restrict()
    assert await case.record.restrictions.list_restricted(case.patient, case.person.id) == []
    events = [event for _, event in await case.world.events(case.person, LinesRestricted)]
    assert [(event.count, event.level) for event in events] == [(1, "hidden"), (0, "")]


async def test_restrictions_at_once_leave_one_of_them(case):
    await asyncio.gather(*(case.restrict(name) for name in ("bipolar", "lithium", "report")))
    [listed] = await case.record.restrictions.list_restricted(case.patient, case.person.id)
    assert len(listed.tokens) == 1
    assert await case.read(case.patient) == case.content
    assert len((await case.record.timeline(case.doctor, case.person.id, Filters())).documents) == 1
