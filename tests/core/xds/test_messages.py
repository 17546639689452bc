"""Messages of registries: written and read back, and those that others wrote."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from esante.core.soap import Malformed, Package, parse_message, read_package, soap_response, write_message
from esante.core.xds import (
    FIND_DOCUMENTS,
    TRANSFORMS,
    Association,
    Coded,
    DocumentEntry,
    DocumentRequest,
    Listing,
    RegistryError,
    Retrieved,
    RetrievedDocument,
    StoredQuery,
    read_documents,
    read_errors,
    read_listing,
    read_query,
    read_requests,
    read_retrieved,
    registry_response,
    write_listing,
    write_query,
    write_requests,
    write_retrieved,
)
from esante.core.xds.query import parse_value

RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20).map(
    lambda found: " ".join(found.split())
)
some = text.filter(bool)
codes = st.builds(Coded, some, some, text)
documents = st.builds(
    DocumentEntry,
    entry_uuid=some,
    unique_id=some,
    patient_id=some,
    mime_type=some,
    class_code=codes,
    type_code=codes,
    format_code=codes,
    repository_id=text,
    home=text,
    source_patient_id=text,
    source_patient_info=st.lists(some, max_size=3),
    created=text,
    language=text,
    size=st.none() | st.integers(0, 10**18),
    sha1=text,
    title=text,
    description=text,
    status=text,
    facility_type=st.none() | codes,
    practice_setting=st.none() | codes,
    confidentiality=st.lists(codes, max_size=2),
    events=st.lists(codes, max_size=3),
    authors=st.lists(some, max_size=2),
    institutions=st.lists(some, max_size=2),
)
errors = st.builds(RegistryError, some, text, text, st.booleans())


def through_bytes(root: etree._Element) -> etree._Element:
    return etree.fromstring(etree.tostring(root))


@given(st.lists(documents, max_size=3), st.lists(errors, max_size=2), st.booleans())
def test_listing_is_read_back_as_written(found: list[DocumentEntry], wrong: list[RegistryError], failed: bool) -> None:
    listing = Listing(found, [Association(TRANSFORMS, "urn:uuid:a", "urn:uuid:b")], wrong, failed)
    read = read_listing(through_bytes(write_listing(listing)))
    assert read.documents == found
    assert read.associations == listing.associations
    assert read.errors == wrong
    without_documents = not found and not all(one.is_warning for one in wrong)
    assert read.is_failure == (failed or without_documents)


@given(st.dictionaries(some, st.lists(some, min_size=1, max_size=4), max_size=4), st.booleans())
def test_query_is_read_back_as_written(parameters: dict[str, list[str]], only: bool) -> None:
    query = StoredQuery(FIND_DOCUMENTS, parameters, only)
    assert read_query(through_bytes(write_query(query))) == query


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'a'", ["a"]),
        ("('a','b')", ["a", "b"]),
        (" ( 'a' , 'b' ) ", ["a", "b"]),
        ("'it''s'", ["it's"]),
        ("20260101", ["20260101"]),
        ("('a, b')", ["a, b"]),
        ("()", []),
    ],
)
def test_value_of_a_parameter_is_read(value: str, expected: list[str]) -> None:
    assert list(parse_value(value)) == expected


@pytest.mark.parametrize("value", ["a", "'a", "('a' 'b')", "'a'b", "('a';'b')", "-1", "'a', drop"])
def test_value_that_is_no_list_is_refused(value: str) -> None:
    with pytest.raises(Malformed, match="Slot"):
        parse_value(value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda root: root.remove(root[1]), "one is needed, there are 0"),
        (lambda root: root.append(etree.fromstring(etree.tostring(root[1]))), "there are 2"),
        (lambda root: root[1].append(etree.fromstring(etree.tostring(root[1][0]))), "occurs twice"),
        (lambda root: root.__setattr__("tag", "other"), "AdhocQueryRequest is needed"),
    ],
)
def test_request_that_is_no_single_query_is_refused(change: object, reason: str) -> None:
    root = through_bytes(write_query(StoredQuery(FIND_DOCUMENTS, {"$XDSDocumentEntryPatientId": ["1"]})))
    change(root)  # type: ignore[operator]
    with pytest.raises(Malformed, match=reason):
        read_query(root)


async def test_documents_are_read_back_as_sent_attached() -> None:
    sent = Retrieved(
        [RetrievedDocument("urn:oid:1.2", "1.2.3", f"1.2.3.{n}^x", "text/xml", bytes([n]) * 2_000) for n in range(3)],
        [RegistryError("XDSMissingDocument", "ERROR_GENERIC_DOCUMENT_MISSING : none", "9")],
    )
    content, attachments = write_retrieved(sent)
    response = soap_response(write_message("urn:a", "urn:uuid:1", content), attachments, is_mtom=True)
    body: AsyncIterator[bytes] = response.body_iterator  # type: ignore[attr-defined]
    package = read_package(b"".join([bytes(piece) async for piece in body]), response.headers["content-type"])
    assert read_retrieved(parse_message(package.root).content, package) == sent


def test_requests_for_documents_are_read_back() -> None:
    wanted = [DocumentRequest("urn:oid:1.2", "1.2.3", "1.2.3.4^PS"), DocumentRequest("", "1.2.3", "5")]
    assert read_requests(through_bytes(write_requests(wanted))) == wanted
    with pytest.raises(Malformed, match="1 to 100"):
        read_requests(through_bytes(write_requests([])))
    with pytest.raises(Malformed, match="are needed"):
        read_requests(through_bytes(write_requests([DocumentRequest("urn:oid:1.2", "", "1")])))


def test_warning_alone_leaves_a_success_unless_the_profile_says_failure() -> None:
    warning = RegistryError("1100", "none", is_warning=True)
    assert registry_response([warning]).get("status", "").endswith(":Success")
    assert registry_response([warning], is_failure=True).get("status", "").endswith(":Failure")


@pytest.mark.parametrize("size", [0, 10**18, 2**63 - 1])
def test_size_of_64_bits_is_read_back(size: int) -> None:
    entry = DocumentEntry("urn:uuid:1", "1", "p", "text/xml", *[Coded("c", "s")] * 3, size=size)
    assert [one.size for one in read_documents(through_bytes(write_listing(Listing([entry]))))] == [size]


def test_document_without_class_or_with_a_size_that_is_no_number_is_refused() -> None:
    entry = DocumentEntry("urn:uuid:1", "1", "p", "text/xml", *[Coded("c", "s")] * 3, size=7)
    root = through_bytes(write_listing(Listing([entry])))
    for value in root.iter(f"{{{RIM}}}Value"):
        value.text = "7 apples" if value.text == "7" else value.text
    with pytest.raises(Malformed, match="no number"):
        read_documents(root)
    root = through_bytes(write_listing(Listing([entry])))
    for one in list(root.iter(f"{{{RIM}}}Classification")):
        one.getparent().remove(one)  # type: ignore[union-attr]
    with pytest.raises(Malformed, match="is missing"):
        read_documents(root)


def read_shared(folder: Path, name: str) -> etree._Element:
    return etree.fromstring((folder / "ncpeh-messages" / name).read_bytes())


def test_german_listing_is_read_and_written_without_loss(shared_data: Path) -> None:
    found = read_listing(read_shared(shared_data, "AdhocQueryResponsePSA.xml"))
    assert {one.class_code.code for one in found.documents} == {"60591-5"}
    assert {one.format_code.code for one in found.documents} == {
        "urn:epSOS:ps:ps:2010",
        "urn:ihe:iti:xds-sd:pdf:2008",
    }
    assert {one.home for one in found.documents} == {"urn:oid:1.2.276.0.76.4.291"}
    assert [one.type for one in found.associations] == [TRANSFORMS]
    ids = {one.entry_uuid for one in found.documents}
    assert {found.associations[0].source, found.associations[0].target} == ids
    assert read_listing(through_bytes(write_listing(found))) == found


def test_german_refusals_and_documents_are_read(shared_data: Path) -> None:
    missing = read_listing(read_shared(shared_data, "AdhocQueryResponse_010.xml"))
    assert missing.is_failure
    assert [one.code for one in missing.errors] == ["ERROR_GENERIC_DOCUMENT_MISSING"]
    root = read_shared(shared_data, "RetrieveDocumentSetResponse.xml")
    documents = read_retrieved(root, Package(b"", {}, False)).documents
    assert documents[0].unique_id == "2.16.17.710.813.1000.990.1.1^PS.XML"
    summary, pdf = documents
    assert etree.fromstring(summary.content.strip()).tag == "{urn:hl7-org:v3}ClinicalDocument"
    assert pdf.content.startswith(b"%PDF")
    refused = read_retrieved(read_shared(shared_data, "RetrieveDocumentSetResponse_020.xml"), Package(b"", {}, False))
    assert [one.code for one in refused.errors] == ["ERROR_GENERIC_DOCUMENT_MISSING"]
    assert read_errors(read_shared(shared_data, "ProvideAndRegisterDocumentSetResponse.xml")) == []


def test_german_and_danish_queries_are_read(shared_data: Path) -> None:
    query = read_query(read_shared(shared_data, "AdhocQueryRequestPSA.xml"))
    assert query.id == FIND_DOCUMENTS
    assert query.one("$XDSDocumentEntryPatientId") == "X110571344|ABC123^^^&1.2.276.0.76.3.1.580.147&ISO"
    assert query.one("$XDSDocumentEntryClassCode") == "60591-5^^2.16.840.1.113883.6.1"
    for kind, code in (("ps", "60591-5"), ("ep", "57833-6")):
        path = shared_data / "ehdsi-soap" / "templates" / "xca" / "query" / f"request-{kind}.xml"
        content = parse_message(path.read_bytes()).content
        assert read_query(content).one("$XDSDocumentEntryClassCode").startswith(code)


def test_german_dispensation_is_read(shared_data: Path) -> None:
    root = read_shared(shared_data, "ProvideAndRegisterDocumentSetRequest.xml")
    [entry] = read_documents(root)
    assert entry.class_code.code == "60593-1"
    assert entry.facility_type == Coded("LT", "1.0.3166.1", "Lithuania")
    assert entry.source_patient_info[0].startswith("PID-3|")


def test_swiss_query_of_a_hospital_is_read(shared_data: Path) -> None:
    data = (shared_data / "ihe-epr" / "samples" / "ITI-18_request_raw.xml").read_bytes()
    query = read_query(parse_message(data).content)
    assert query.id == FIND_DOCUMENTS
    assert query.one("$XDSDocumentEntryPatientId").endswith("&ISO")
    answer = (shared_data / "ihe-epr" / "samples" / "ITI-18_response_raw.xml").read_bytes()
    found = read_listing(parse_message(answer).content)
    assert found.documents
    assert read_listing(through_bytes(write_listing(found))) == found
