"""XDS.b over HTTP: documents provided, found and retrieved, as the record decides."""

import base64
from dataclasses import replace

import pytest

from esante.core.storage import uuid7
from esante.identity.access import Confidentiality, requester_of
from esante.services.record import DepositedEvent, Read, Replaced
from tests.services.exchange.hospital.conftest import COMMUNITY
from tests.services.exchange.hospital.messages import (
    APPROVED,
    DEPRECATED,
    FAILURE,
    PARTIAL,
    RPLC,
    SOAP_XML,
    SUCCESS,
    XDSB,
    adhoc_query,
    association,
    body_of,
    cx_of,
    document_entry,
    entries_of,
    envelope,
    errors_of,
    find_documents,
    new_oid,
    provide,
    retrieve,
    slot,
    submission_set,
    unique_id_of,
)
from tests.support.record import cda, letter

REGISTRY, REPOSITORY = "/api/xds/registry", "/api/xds/repository"


async def post(client, path: str, body: str):
    return await client.post(path, content=envelope(body), headers=SOAP_XML)


async def submit(systems, requester, body: str):
    async with systems.client(requester) as client:
        return body_of(await post(client, REPOSITORY, body))


async def found(systems, requester, body: str):
    async with systems.client(requester) as client:
        return body_of(await post(client, REGISTRY, body))


def text() -> bytes:
    return f"Dear colleague, {uuid7().hex}".encode()


async def test_provided_document_is_found_and_retrieved_as_it_was(systems, world, person):
    content, unique_id = text(), new_oid()
    body = provide(
        submission_set(cx_of(person)), [(document_entry(cx_of(person), content, unique_id=unique_id), content)]
    )
    answer = await submit(systems, world.people["hospital"], body)
    assert (answer.get("status"), errors_of(answer)) == (SUCCESS, [])
    [(_, event)] = await world.events(person, DepositedEvent)
    assert event.size == len(content)
    listing = await found(systems, world.people["doctor"], find_documents(cx_of(person)))
    [entry] = entries_of(listing)
    assert unique_id_of(entry) == unique_id
    assert (entry.get("mimeType"), entry.get("status")) == ("text/plain", APPROVED)
    assert slot(entry, "size") == str(len(content))
    assert slot(entry, "repositoryUniqueId") == COMMUNITY
    retrieved = await submit(systems, world.people["doctor"], retrieve((COMMUNITY, unique_id)))

    assert base64.b64decode(retrieved.findtext(f".//{{{XDSB}}}Document")) == content
    assert len(await world.events(person, Read)) == 1


async def test_same_submission_again_stores_nothing_more(systems, world, person):
    content, unique_id = text(), new_oid()
    body = provide(
        submission_set(cx_of(person)), [(document_entry(cx_of(person), content, unique_id=unique_id), content)]
    )
    for _ in range(2):
        assert (await submit(systems, world.people["hospital"], body)).get("status") == SUCCESS
    assert len(await world.events(person, DepositedEvent)) == 1


async def test_replacement_deprecates_the_document_before(systems, world, person):
    first, second, hospital = text(), text(), world.people["hospital"]
    await submit(
        systems, hospital, provide(submission_set(cx_of(person)), [(document_entry(cx_of(person), first), first)])
    )
    [entry] = entries_of(await found(systems, hospital, find_documents(cx_of(person))))
    uuid = entry.get("id")
    body = provide(
        submission_set(cx_of(person)),
        [(document_entry(cx_of(person), second), second)],
        association(RPLC, "Document01", uuid),
    )
    assert (await submit(systems, hospital, body)).get("status") == SUCCESS
    [(_, event)] = await world.events(person, Replaced)
    assert event.replaces.urn == uuid
    both = await found(systems, hospital, find_documents(cx_of(person), f"{APPROVED}','{DEPRECATED}"))
    assert [one.get("status") for one in entries_of(both)] == [APPROVED, DEPRECATED]
    again = provide(
        submission_set(cx_of(person)), [(document_entry(cx_of(person), text_ := text()), text_)],
        association(RPLC, "Document01", uuid),
    )  # fmt: skip
    assert errors_of(await submit(systems, hospital, again)) == ["XDSReplaceFailed"]


async def test_replacement_of_a_document_of_another_patient_is_refused_as_one_that_is_absent(systems, world, person):
    hospital, other, content = world.people["hospital"], await world.person("Klein"), text()
    await submit(
        systems, hospital, provide(submission_set(cx_of(other)), [(document_entry(cx_of(other), content), content)])
    )
    [entry] = entries_of(await found(systems, hospital, find_documents(cx_of(other))))
    answers = []
    for uuid in (entry.get("id"), uuid7().urn):
        new = text()
        body = provide(
            submission_set(cx_of(person)),
            [(document_entry(cx_of(person), new), new)],
            association(RPLC, "Document01", uuid),
        )
        answers.append(errors_of(await submit(systems, hospital, body)))
    assert answers == [["XDSReplaceFailed"]] * 2
    assert not await world.events(person, DepositedEvent, Replaced)


async def test_documents_are_stored_all_or_none(systems, world, person):
    first, second = text(), text()
    cx = cx_of(person)
    documents = [
        (document_entry(cx, first), first),
        (document_entry(cx, second, id="Document02", sha1="0" * 40), second),
    ]
    answer = await submit(systems, world.people["hospital"], provide(submission_set(cx), documents))
    assert (answer.get("status"), errors_of(answer)) == (FAILURE, ["XDSRepositoryMetadataError"])
    assert not await world.events(person, DepositedEvent)
    documents[1] = (document_entry(cx, second, id="Document02", type="00000-0"), second)
    assert errors_of(await submit(systems, world.people["hospital"], provide(submission_set(cx), documents)))
    assert not await world.events(person, DepositedEvent)
    documents[1] = (document_entry(cx, second, id="Document02"), second)
    answer = await submit(systems, world.people["hospital"], provide(submission_set(cx), documents))
    assert answer.get("status") == SUCCESS
    assert len(await world.events(person, DepositedEvent)) == 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"sha1": "0" * 40}, "XDSRepositoryMetadataError"),
        ({"size": 1}, "XDSRepositoryMetadataError"),
        ({"type": "41000179103", "system": "2.16.840.1.113883.6.96"}, "XDSRegistryMetadataError"),
        ({"type": "00000-0"}, "XDSRepositoryMetadataError"),
        (
            {"confidentiality": "17621005", "confidentiality_system": "2.16.840.1.113883.6.96"},
            "XDSRegistryMetadataError",
        ),
        ({"unique_id": "no oid"}, "XDSRegistryMetadataError"),
        ({"unique_id": ""}, "XDSRegistryMetadataError"),
        ({"created": "yesterday"}, "XDSRegistryMetadataError"),
        ({"mime": "application/pdf"}, "XDSRepositoryMetadataError"),
        ({"info": ("PID-5|Klein^Jean^^^", "PID-7|19500101")}, "XDSRepositoryMetadataError"),
    ],
)
async def test_wrong_metadata_are_refused_with_their_place(systems, world, person, fields, code):
    content = text()
    body = provide(submission_set(cx_of(person)), [(document_entry(cx_of(person), content, **fields), content)])
    answer = await submit(systems, world.people["hospital"], body)
    assert (answer.get("status"), errors_of(answer)) == (FAILURE, [code])
    assert not await world.events(person, DepositedEvent)


async def test_document_about_another_patient_is_refused(systems, world, person):
    content = cda().replace(b"<family>Weber", b"<family>Klein").replace(b"<given>Anna", b"<given>Jean")
    entry = document_entry(cx_of(person), content, mime="text/xml", type="34133-9")
    answer = await submit(
        systems, world.people["hospital"], provide(submission_set(cx_of(person)), [(entry, content)])
    )
    assert errors_of(answer) == ["XDSRepositoryMetadataError"]
    assert not await world.events(person, DepositedEvent)
    right = cda()
    entry = document_entry(cx_of(person), right, mime="text/xml", type="34133-9")
    answer = await submit(systems, world.people["hospital"], provide(submission_set(cx_of(person)), [(entry, right)]))
    assert answer.get("status") == SUCCESS


async def test_unique_id_of_another_document_is_refused(systems, world, person):
    first, second, unique_id = text(), text(), new_oid()
    hospital, other = world.people["hospital"], await world.person("Klein")
    cx = cx_of(person)
    one = provide(submission_set(cx), [(document_entry(cx, first, unique_id=unique_id), first)])
    assert (await submit(systems, hospital, one)).get("status") == SUCCESS
    for who in (person, other):
        body = provide(submission_set(cx_of(who)), [(document_entry(cx_of(who), second, unique_id=unique_id), second)])
        assert errors_of(await submit(systems, hospital, body)) == ["XDSDuplicateUniqueIdInRegistry"]
    pair = [
        (document_entry(cx, first, unique_id="1.2.3"), first),
        (document_entry(cx, second, unique_id="1.2.3", id="Document02"), second),
    ]
    assert errors_of(await submit(systems, hospital, provide(submission_set(cx), pair))) == [
        "XDSDuplicateUniqueIdInRegistry"
    ]


async def test_unique_id_of_a_refused_submission_is_free_again(systems, world, person):
    content, unique_id, cx = text(), new_oid(), cx_of(person)
    wrong = provide(submission_set(cx), [(document_entry(cx, content, unique_id=unique_id, type="00000-0"), content)])
    assert errors_of(await submit(systems, world.people["hospital"], wrong))
    other = await world.person("Klein")
    cx = cx_of(other)
    right = provide(submission_set(cx), [(document_entry(cx, content, unique_id=unique_id), content)])
    assert (await submit(systems, world.people["hospital"], right)).get("status") == SUCCESS


async def test_submission_about_two_patients_is_refused(systems, world, person):
    other, content = await world.person("Klein"), text()
    body = provide(submission_set(cx_of(other)), [(document_entry(cx_of(person), content), content)])
    assert errors_of(await submit(systems, world.people["hospital"], body)) == ["XDSPatientIdDoesNotMatch"]


async def test_unknown_patient_and_closed_record_are_refused_alike(systems, world):
    closed, content = await world.person("Klein", opened=False), text()
    answers = []
    for cx in (cx_of(closed), f"{uuid7().hex}^^^&{COMMUNITY}&ISO", "123^^^&1.2.3&ISO"):
        body = provide(submission_set(cx), [(document_entry(cx, content), content)])
        answer = await submit(systems, world.people["hospital"], body)
        [error] = answer.iter("{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryError")
        answers.append((answer.get("status"), dict(error.attrib)))
    assert answers[0][1]["errorCode"] == "XDSUnknownPatientId"
    assert answers == [answers[0]] * 3


async def test_relation_that_is_not_kept_is_a_warning(systems, world, person):
    content = text()
    body = provide(
        submission_set(cx_of(person)),
        [(document_entry(cx_of(person), content), content)],
        association("urn:ihe:iti:2007:AssociationType:APND", "Document01", uuid7().urn),
    )
    answer = await submit(systems, world.people["hospital"], body)
    assert (answer.get("status"), errors_of(answer)) == (SUCCESS, ["XDSRegistryMetadataError"])


async def test_author_in_the_directory_is_the_author_of_the_document(systems, world, person):
    surgeon, content = world.people["surgeon_entry"], text()
    author = f"{surgeon.identifiers[0].value}^Kieffer^Marc"
    body = provide(submission_set(cx_of(person)), [(document_entry(cx_of(person), content, author=author), content)])
    assert (await submit(systems, world.people["hospital"], body)).get("status") == SUCCESS
    page = await world.record.timeline(requester_of(person), person.id)
    assert page.documents[0].author_id == surgeon.id


async def test_what_the_requester_may_not_see_is_missing_everywhere(systems, world, person):
    """Compare whole answers: hidden, refused, absent and of nobody are alike but for ids."""
    doctor, patient = world.people["doctor"], requester_of(person)
    deposited = await world.record.deposit(world.people["hospital"], person.id, *letter())
    await found(systems, patient, find_documents(cx_of(person)))  # makes the identifiers known
    document = deposited.document
    await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.HIDDEN)
    absent = uuid7()
    entry, set_ = "$XDSDocumentEntry", "$XDSSubmissionSet"
    queries = {
        "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4": [f"{entry}EntryUUID", f"{entry}UniqueId"],
        "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155": ["$uuid"],
        "urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a": [f"{entry}EntryUUID", f"{entry}UniqueId"],
        "urn:uuid:51224314-5390-4169-9b91-b1980040715a": ["$uuid"],
        "urn:uuid:e8e3cb2c-e39c-46b9-99e4-c12f57260b83": [f"{set_}EntryUUID", f"{set_}UniqueId"],
        "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6": [f"{entry}EntryUUID", f"{entry}UniqueId"],
    }
    for query, names in queries.items():
        for name in names:
            for kind in ("LeafClass", "ObjectRef"):
                more = {"$AssociationTypes": f"('{RPLC}')"} if query.endswith("0b4b0e6") or "d90e5407" in query else {}
                values = (document.id, absent)
                answers = []
                for key in values:
                    value = f"2.25.{key.int}" if name.endswith("UniqueId") else key.urn
                    answers.append(
                        await found(systems, doctor, adhoc_query(query, {name: f"('{value}')"} | more, kind))
                    )
                assert [one.get("status") for one in answers] == [SUCCESS] * 2
                assert [len(one[0]) for one in answers] == [0, 0]
    listing = await found(systems, doctor, find_documents(cx_of(person)))
    nobody = await found(systems, doctor, find_documents(f"{uuid7().hex}^^^&{COMMUNITY}&ISO"))
    assert [len(entries_of(one)) for one in (listing, nobody)] == [0, 0]
    retrieved = [
        await submit(systems, doctor, retrieve((COMMUNITY, f"2.25.{key.int}"))) for key in (document.id, absent)
    ]
    assert [errors_of(one) for one in retrieved] == [["XDSDocumentUniqueIdError"]] * 2
    assert not await world.events(person, Read)


async def test_stored_queries_answer_what_the_profile_says(systems, world, person):
    doctor, hospital, cx = world.people["doctor"], world.people["hospital"], cx_of(person)
    first, second, third = text(), text(), text()
    pair = [
        (document_entry(cx, first, unique_id="1.2.3.9"), first),
        (document_entry(cx, second, id="Document02"), second),
    ]
    await submit(systems, hospital, provide(submission_set(cx), pair))
    listing = entries_of(await found(systems, doctor, find_documents(cx)))
    old = next(one for one in listing if unique_id_of(one) == "1.2.3.9").get("id")
    replacing = provide(submission_set(cx), [(document_entry(cx, third), third)], association(RPLC, "Document01", old))
    await submit(systems, hospital, replacing)

    async def counts(query: str, parameters: dict[str, str], kind: str = "LeafClass") -> tuple[int, int, int]:
        answer = await found(systems, doctor, adhoc_query(f"urn:uuid:{query}", parameters, kind))
        assert answer.get("status") == SUCCESS, errors_of(answer)
        rim = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"
        names = ("RegistryPackage", "ExtrinsicObject", "Association")
        if kind == "ObjectRef":
            return len(answer[0]), 0, 0
        return tuple(len(answer[0].findall(f"{rim}{name}")) for name in names)

    any_status = f"('{APPROVED}','{DEPRECATED}')"
    entry, set_ = "$XDSDocumentEntry", "$XDSSubmissionSet"
    everything = {
        "$patientId": f"'{cx}'", f"{entry}Status": any_status, f"{set_}Status": any_status, "$XDSFolderStatus": any_status,
    }  # fmt: skip
    assert await counts("10b545ea-725c-446d-9b95-8aeb444eddf3", everything) == (2, 3, 4)
    assert await counts("10b545ea-725c-446d-9b95-8aeb444eddf3", everything, "ObjectRef") == (9, 0, 0)
    sets = {f"{set_}PatientId": f"'{cx}'", f"{set_}Status": any_status}
    assert await counts("f26abbcb-ac74-4422-8a30-edb644bbc1a9", sets) == (2, 0, 0)
    assert await counts("f26abbcb-ac74-4422-8a30-edb644bbc1a9", sets | {f"{set_}SourceId": "('1.2')"}) == (0, 0, 0)
    assert await counts("5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", {f"{entry}EntryUUID": f"('{old}')"}) == (0, 1, 0)
    assert await counts("5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", {f"{entry}UniqueId": "('1.2.3.9')"}) == (0, 1, 0)
    assert await counts("a7ae438b-4bc2-4642-93e9-be891f7bb155", {"$uuid": f"('{old}')"}) == (0, 0, 2)
    assert await counts("bab9529a-4a10-40b3-a01f-f68a615d247a", {f"{entry}EntryUUID": f"('{old}')"}) == (0, 1, 2)
    assert await counts("51224314-5390-4169-9b91-b1980040715a", {"$uuid": f"('{old}')"}) == (1, 0, 1)
    related = {f"{entry}EntryUUID": f"('{old}')", "$AssociationTypes": f"('{RPLC}')"}
    assert await counts("d90e5407-b356-4d91-a89f-873917b4b0e6", related) == (0, 2, 1)
    answer = await found(
        systems, doctor, adhoc_query("urn:uuid:51224314-5390-4169-9b91-b1980040715a", {"$uuid": f"('{old}')"})
    )
    set_id = answer[0][0].get("id")
    assert await counts("e8e3cb2c-e39c-46b9-99e4-c12f57260b83", {f"{set_}EntryUUID": f"('{set_id}')"}) == (1, 2, 2)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"TypeCode": "('51852-2^^2.16.840.1.113883.6.1')"}, 1),
        ({"TypeCode": "('11502-2^^2.16.840.1.113883.6.1')"}, 0),
        ({"FormatCode": "('urn:ihe:iti:xds:2017:mimeTypeSufficient')"}, 1),
        ({"ConfidentialityCode": "('N^^2.16.840.1.113883.5.25','R^^2.16.840.1.113883.5.25')"}, 1),
        ({"CreationTimeFrom": "'2020'"}, 1),
        ({"CreationTimeTo": "'2020'"}, 0),
        ({"ServiceStartTimeFrom": "'20260131'", "ServiceStartTimeTo": "'20260201'"}, 1),
        ({"ServiceStartTimeFrom": "'20260201'"}, 0),
        ({"AuthorPerson": "('%H_pital%')"}, 0),
        ({"AuthorPerson": "('%hôpital%')"}, 1),
        ({"Type": "('urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')"}, 0),
        ({"EventCodeList": "('x')"}, 0),
    ],
)
async def test_filters_choose_documents(systems, world, person, more, expected):
    content = text()
    body = provide(submission_set(cx_of(person)), [(document_entry(cx_of(person), content), content)])
    await submit(systems, world.people["hospital"], body)
    listing = await found(systems, world.people["doctor"], find_documents(cx_of(person), **more))
    assert len(entries_of(listing)) == expected


async def test_wrong_queries_have_the_errors_of_the_profile(systems, world, person):
    doctor, entry = world.people["doctor"], "$XDSDocumentEntry"
    unknown = adhoc_query("urn:uuid:958f3006-baad-4929-a4de-ff1114824431", {})
    assert errors_of(await found(systems, doctor, unknown)) == ["XDSUnknownStoredQuery"]
    without = adhoc_query("urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d", {f"{entry}PatientId": "'1'"})
    assert errors_of(await found(systems, doctor, without)) == ["XDSStoredQueryMissingParam"]
    more = find_documents(cx_of(person), Colour="'red'")
    assert errors_of(await found(systems, doctor, more)) == ["XDSStoredQueryParamNumber"]


async def test_objects_of_two_patients_are_not_answered_together(systems, world, person):
    other, hospital = await world.person("Klein"), world.people["hospital"]
    uuids = []
    for who in (person, other):
        content = text()
        await submit(
            systems, hospital, provide(submission_set(cx_of(who)), [(document_entry(cx_of(who), content), content)])
        )
        uuids.append(entries_of(await found(systems, hospital, find_documents(cx_of(who))))[0].get("id"))
    value = {"$XDSDocumentEntryEntryUUID": f"('{uuids[0]}','{uuids[1]}')"}
    query = adhoc_query("urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", value)
    assert errors_of(await found(systems, hospital, query)) == ["XDSResultNotSinglePatient"]


async def test_missing_document_is_named_beside_what_is_found(systems, world, person):
    content, unique_id = text(), new_oid()
    body = provide(
        submission_set(cx_of(person)), [(document_entry(cx_of(person), content, unique_id=unique_id), content)]
    )
    await submit(systems, world.people["hospital"], body)
    answer = await submit(
        systems, world.people["doctor"], retrieve((COMMUNITY, unique_id), (COMMUNITY, "1.2.3"), ("1.2.3", unique_id))
    )
    assert answer[0].get("status") == PARTIAL
    assert errors_of(answer) == ["XDSDocumentUniqueIdError", "XDSUnknownRepositoryId"]


async def test_registration_without_bytes_is_refused(systems, world, person):
    body = '<SubmitObjectsRequest xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"/>'
    answer = await found(systems, world.people["hospital"], body)
    assert (answer.get("status"), errors_of(answer)) == (FAILURE, ["XDSRegistryError"])


async def test_token_without_the_scope_is_refused(systems, world, person):
    async with systems.client(world.people["hospital"], "system/DocumentReference.r") as client:
        content = text()
        body = provide(submission_set(cx_of(person)), [(document_entry(cx_of(person), content), content)])
        assert (await post(client, REPOSITORY, body)).status_code == 403
        assert (await post(client, REGISTRY, find_documents(cx_of(person)))).status_code == 403
    async with systems.client() as client:
        answer = await post(client, REGISTRY, find_documents(cx_of(person)))
        assert (answer.status_code, b"soap:Sender" in answer.content) == (401, True)


async def test_software_launched_for_another_patient_sees_nothing(systems, world, person):
    other = await world.person("Klein")
    await world.record.deposit(world.people["hospital"], person.id, *letter())
    launched = replace(world.people["doctor"], patient=other.id)
    async with systems.client(launched, "patient/*.cruds") as client:
        assert entries_of(body_of(await post(client, REGISTRY, find_documents(cx_of(person))))) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + envelope(find_documents("1")),
        envelope("<other/>"),
        envelope(""),
        envelope(find_documents("1"))[:-10],
        envelope(provide(submission_set("1"), [])),
        envelope(provide(submission_set("1", node="urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"), [])),
        envelope(retrieve()),
        b"<a " + b"b='' " * 200_001 + b"/>",
    ],
)
async def test_what_is_no_request_is_a_fault_of_the_sender(systems, world, body):
    async with systems.client(world.people["hospital"]) as client:
        for path in (REGISTRY, REPOSITORY, "/api/xds/patients"):
            answer = await client.post(path, content=body, headers=SOAP_XML)
            assert b"soap:Sender" in answer.content or b"Failure" in answer.content
            assert answer.status_code in (200, 400)
            assert b"root:" not in answer.content
