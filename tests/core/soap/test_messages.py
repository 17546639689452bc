"""Messages of SOAP 1.2: envelopes and attachments, what is read back and what is refused."""

from collections.abc import AsyncIterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from esante.core.soap import (
    MEDIA_TYPE,
    SOAP,
    XOP,
    Attachment,
    Malformed,
    parse_message,
    read_package,
    soap_response,
    write_fault,
    write_message,
)
from esante.core.xds import RS, RegistryError, registry_response

ENVELOPE = '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">{}</s:Envelope>'


async def stream(data: bytes) -> AsyncIterator[bytes]:
    """Yield bytes in pieces."""
    for start in range(0, len(data), 1_000):
        yield data[start : start + 1_000]


async def sent(root: bytes, attachments: list[bytes]) -> tuple[bytes, str]:
    """Return the body and the Content-Type of a response with attachments."""
    packed = [Attachment("text/xml", f"{n}@here", partial(stream, data)) for n, data in enumerate(attachments)]
    response = soap_response(root, packed, is_mtom=True)
    pieces = [bytes(piece) async for piece in response.body_iterator]  # type: ignore[attr-defined]
    return b"".join(pieces), response.headers["content-type"]


def test_written_message_is_read_back_with_what_it_answers() -> None:
    content = etree.Element("{urn:test}Answer")
    content.text = "é"
    data = write_message("urn:test:Act", "urn:uuid:1", content)
    message = parse_message(data)
    assert (message.content.tag, message.content.text) == ("{urn:test}Answer", "é")
    assert message.message_id.startswith("urn:uuid:")
    header = etree.fromstring(data)[0]
    assert header.findtext("{*}Action") == "urn:test:Act"
    assert header.findtext("{*}RelatesTo") == "urn:uuid:1"


@pytest.mark.parametrize(
    "text",
    [
        "<a/>",
        ENVELOPE.format(""),
        ENVELOPE.format("<s:Body/>"),
        ENVELOPE.format("<s:Body><a/><b/></s:Body>"),
        ENVELOPE.format("<s:Body><a/></s:Body><s:Body><a/></s:Body>"),
        ENVELOPE.format("<s:Body><a/></s:Body>").replace("2003/05/soap-envelope", "2001/soap"),
        "<!DOCTYPE a>" + ENVELOPE.format("<s:Body><a/></s:Body>"),
    ],
)
def test_what_is_no_envelope_with_one_content_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match="Envelope"):
        parse_message(text.encode())


def test_fault_carries_the_reason_without_control_characters() -> None:
    fault = parse_message(write_fault("wrong\x00 <a>\n")).content
    assert fault.tag == f"{{{SOAP}}}Fault"
    assert fault.findtext("{*}Reason/{*}Text") == "wrong <a>"


@given(st.lists(st.binary(max_size=3_000), max_size=5))
async def test_attachments_are_read_back_as_sent(attachments: list[bytes]) -> None:
    body, kind = await sent(b"<a/>", attachments)
    package = read_package(body, kind)
    assert package.is_mtom
    assert package.root == b"<a/>"
    holders = [f'<d xmlns:x="{XOP}"><x:Include href="cid:{n}%40here"/></d>' for n in range(len(attachments))]
    assert [package.bytes_of(etree.fromstring(holder)) for holder in holders] == attachments


def test_bytes_may_stand_in_the_message_itself() -> None:
    package = read_package(b"<a/>", MEDIA_TYPE)
    assert not package.is_mtom
    assert package.bytes_of(etree.fromstring("<d>aGVs\n bG8=</d>")) == b"hello"
    with pytest.raises(Malformed, match="no base64"):
        package.bytes_of(etree.fromstring("<d>a*b</d>"))


async def test_attachment_that_is_not_there_is_named() -> None:
    package = read_package(*await sent(b"<a/>", [b"x"]))
    with pytest.raises(Malformed, match="no attachment 9@here"):
        package.bytes_of(etree.fromstring(f'<d xmlns:x="{XOP}"><x:Include href="cid:9@here"/></d>'))


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"--b\r\n\r\n<a/>\r\n--b--", "multipart/related", "boundary"),
        (b"--b\r\n\r\n<a/>\r\n--b--", f"multipart/related; boundary={'b' * 71}", "boundary"),
        (b"nothing", "multipart/related; boundary=b", "no multipart|no part"),
        (b"--b\r\n\r\nx\r\n" * 101 + b"--b--", "multipart/related; boundary=b", "100 parts"),
    ],
    ids=["without a boundary", "with a long boundary", "without parts", "with too many parts"],
)
def test_broken_package_is_refused(body: bytes, kind: str, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read_package(body, kind)


def test_registry_answers_success_failure_or_partial_success() -> None:
    error = RegistryError("XDSRepositoryError", "why", "where")
    statuses = [
        registry_response([]).get("status", ""),
        registry_response([error]).get("status", ""),
        registry_response([error], is_partial=True).get("status", ""),
    ]
    assert [one.rpartition(":")[2] for one in statuses] == ["Success", "Failure", "PartialSuccess"]
    found = registry_response([error]).find(f"{{{RS}}}RegistryErrorList/{{{RS}}}RegistryError")
    assert found is not None
    assert (found.get("errorCode"), found.get("codeContext"), found.get("location")) == (
        "XDSRepositoryError",
        "why",
        "where",
    )
