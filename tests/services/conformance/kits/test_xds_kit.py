"""The kit of XDS.b: the platform meets all of it, and each broken twin is told what is broken."""

import re
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from lxml import etree

from esante.core import clock
from esante.core.soap import MEDIA_TYPE, read_package, write_message
from esante.core.xds import (
    FIND_SUBMISSION_SETS,
    GET_SUBMISSION_SET_AND_CONTENTS,
    Listing,
    registry_response,
    write_listing,
)
from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.model import Run, Verdict
from esante.services.conformance.kits.xds.query_checks import UNKNOWN_PATIENT, UNKNOWN_QUERY
from esante.services.exchange.assertions.signature import sign
from esante.services.exchange.hospital.patients import community_oid
from tests.support.broken_twins import Answer, Change, Twin, replace_status
from tests.support.kit_world import KitWorld, assert_only_fault, failed, not_passed, twin_cases

KIT = kits()["xds"]
_CODES = "2.16.756.5.30.1.127.3.10"
_NOTHING = write_message("urn:none", "", write_listing(Listing()))
_SUCCESS = write_message("urn:none", "", registry_response())
_APPROVED, _DEPRECATED = b"StatusType:Approved", b"StatusType:Deprecated"


def assertion(world: KitWorld) -> str:
    """Return an assertion about a technical user, which the hospital signed."""
    now = clock.now().replace(microsecond=0)
    begin, end = (now - timedelta(minutes=1)).isoformat(), (now + timedelta(minutes=30)).isoformat()
    codes = {
        "urn:oasis:names:tc:xacml:2.0:subject:role": ("Role", "TCU", f"{_CODES}.6"),
        "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse": ("PurposeOfUse", "AUTO", f"{_CODES}.5"),
    }
    attributes = "".join(
        f'<s:Attribute Name="{name}"><s:AttributeValue><h:{tag} code="{code}" codeSystem="{system}"/>'
        "</s:AttributeValue></s:Attribute>"
        for name, (tag, code, system) in codes.items()
    )
    text = (
        f'<s:Assertion xmlns:s="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:h="urn:hl7-org:v3" ID="_{uuid4().hex}"'
        f' Version="2.0" IssueInstant="{begin}"><s:Issuer>https://sts.hospital.example</s:Issuer><s:Subject>'
        "<s:NameID>archive-1</s:NameID>"
        '<s:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"/></s:Subject>'
        f'<s:Conditions NotBefore="{begin}" NotOnOrAfter="{end}"><s:AudienceRestriction>'
        f"<s:Audience>{world.server.base}</s:Audience></s:AudienceRestriction></s:Conditions>"
        f"<s:AttributeStatement>{attributes}</s:AttributeStatement></s:Assertion>"
    )
    return etree.tostring(sign(etree.fromstring(text), world.card.key, world.card.certificate)).decode()


def options(world: KitWorld) -> dict[str, str]:
    """Return the options of a run."""
    patient = f"{world.world.persons[0].id.hex}^^^&{community_oid(world.server.base)}&ISO"
    return {"token": world.options["token"], "patient-cx": patient, "assertion": assertion(world)}


async def run(world: KitWorld, change: Change = lambda *_: None, *, without: str = "") -> Run:
    """Run the kit against a twin of the world, without an option."""
    given = {name: one for name, one in options(world).items() if name != without}
    return await world.run("xds", given, Twin(change), path="/api/xds")


async def test_platform_meets_every_requirement(kit_world: KitWorld) -> None:
    found = await run(kit_world)
    assert not_passed(found) == []
    assert found.passed and len(found.outcomes) == len(KIT.requirements) == 28
    assert kit_world.options["token"] not in str(found.outcomes)


async def test_platform_meets_every_requirement_with_an_assertion_alone(kit_world: KitWorld) -> None:
    assert not_passed(await run(kit_world, without="token")) == []


async def test_transcript_has_no_assertion(kit_world: KitWorld) -> None:
    found = await run(kit_world, without="token")
    text = "".join(exchange.request + exchange.answer for one in found.outcomes for exchange in one.exchanges)
    assert ":Assertion>…</" in text and "archive-1" not in text and "SignatureValue" not in text


async def test_assertion_may_be_given_in_base64(kit_world: KitWorld) -> None:
    given = options(kit_world)
    encoded = {"assertion": b64encode(given["assertion"].encode()).decode()}
    found = await kit_world.run("xds", given | encoded, path="/api/xds")
    assert not_passed(found) == []


async def test_assertions_are_not_tested_where_none_is_given(kit_world: KitWorld) -> None:
    found = await run(kit_world, without="assertion")
    skipped = {name for name, verdict, _ in not_passed(found) if verdict == Verdict.NOT_APPLICABLE}
    assert (skipped, failed(found)) == ({"XDS-02", "XDS-03"}, [])


def _asked(*parts: bytes | str, by: Callable[[httpx.Request, Answer], Answer | None]) -> Change:
    """Return a change of answers to requests that hold all of some texts."""

    def holds(request: httpx.Request, part: bytes | str) -> bool:
        return (part.encode() if isinstance(part, str) else part) in request.content

    def apply(request: httpx.Request, answer: Answer) -> Answer | None:
        return by(request, answer) if all(holds(request, one) for one in parts) else None

    return apply


def _answered(message: bytes) -> Change:
    return lambda _, answer: Answer(200, answer.headers | {"content-type": MEDIA_TYPE}, message)


def _body(old: bytes, new: bytes) -> Change:
    return lambda _, answer: Answer(answer.status, answer.headers, answer.body.replace(old, new))


def _remembered(wanted: tuple[bytes, ...], given: tuple[bytes, ...]) -> Change:
    """Return a change that answers one query as another one before."""
    kept: dict[str, Answer] = {}

    def keep(_: httpx.Request, answer: Answer) -> None:
        kept["answer"] = answer

    first = _asked(*wanted, by=keep)
    second = _asked(*given, by=lambda *_: kept["answer"])
    return lambda request, answer: second(request, answer) or first(request, answer)


def _inline(_: httpx.Request, answer: Answer) -> Answer | None:
    """Answer with the document in the message instead of attached to it."""
    package = read_package(answer.body, answer.headers["content-type"])
    content = next((one for one in package.attachments.values() if one != package.root), None)
    if content is None:
        return None
    root = re.sub(rb"<xop:Include[^>]*/>", b64encode(content), package.root)
    return Answer(200, answer.headers | {"content-type": MEDIA_TYPE}, root)


def _without_entries(_: httpx.Request, answer: Answer) -> Answer:
    body = re.sub(rb"<(\w+:)?ExtrinsicObject\b.*</(\w+:)?ExtrinsicObject>", b"", answer.body, flags=re.DOTALL)
    return Answer(answer.status, answer.headers, body)


def _second_of(title: str) -> Change:
    """Return a change in which the second submission of a document with a title is not answered."""
    times: list[int] = []

    def apply(_: httpx.Request, answer: Answer) -> Answer | None:
        times.append(1)
        return answer.with_status(500) if len(times) == 2 else None

    return _asked(f'value="{title}"', by=apply)


_FIND, _PROVIDE = b"14d4debf-8f97-4251-9a74-a90016b0af0d", b"ProvideAndRegisterDocumentSetRequest"
_TYPE, _START, _SEND = b"DocumentEntryTypeCode", b"ServiceStartTimeFrom", b"RetrieveDocumentSetRequest"
_REFERENCES = b'returnType="ObjectRef"'
_ENTRIES = b'returnType="LeafClass"'


def _nobody_is_served(request: httpx.Request, answer: Answer) -> Answer | None:
    if "authorization" in request.headers or b":Assertion" in request.content:
        return None
    return _answered(_NOTHING)(request, answer)


def _any_assertion(_: httpx.Request, answer: Answer) -> Answer | None:
    return _answered(_NOTHING)(_, answer) if answer.status >= 400 else None


TWINS: dict[str, Change] = {
    "XDS-01": _nobody_is_served,
    "XDS-02": _asked(":Assertion", by=replace_status(200, 403)),
    "XDS-03": _asked(":Assertion", by=_any_assertion),
    "XDS-04": _asked("<no-message", by=_answered(_NOTHING)),
    "XDS-05": _body(b"RelatesTo", b"RelatedTo"),
    "XDS-06": _asked(_PROVIDE, by=_body(b"ResponseStatusType:Success", b"ResponseStatusType:Failure")),
    "XDS-07": _asked(_FIND, _APPROVED, _ENTRIES, by=_without_entries),
    "XDS-08": _asked(_FIND, _ENTRIES, by=_body(b"text/plain", b"text/other")),
    "XDS-09": _asked(_SEND, by=_body(b"Conformance ", b"conformance ")),
    "XDS-10": _asked(_SEND, by=_inline),
    "XDS-11": _asked(_SEND, by=_body(b"XDSDocumentUniqueIdError", b"XDSRepositoryError")),
    "XDS-12": _asked(_SEND, by=_body(b"urn:ihe:iti:2007:ResponseStatusType:PartialSuccess", b"x:Failure")),
    "XDS-13": _asked("Wrong hash", by=_answered(_SUCCESS)),
    "XDS-14": _asked("Without bytes", by=_answered(_SUCCESS)),
    "XDS-15": _second_of("Twice"),
    "XDS-16": _asked(_FIND, _APPROVED, _DEPRECATED, by=_body(_DEPRECATED, _APPROVED)),
    "XDS-17": _asked("Replaces nothing", by=_answered(_SUCCESS)),
    "XDS-18": _remembered((_FIND, _APPROVED, _ENTRIES), (_FIND, _REFERENCES)),
    "XDS-19": _remembered((_FIND, _APPROVED, _ENTRIES), (_FIND, b"('urn:oasis:names:tc:ebxml-regrep:" + _DEPRECATED)),
    "XDS-20": _remembered((_TYPE, b"51852-2"), (_TYPE, b"11502-2")),
    "XDS-21": _remembered((_START, b"20010101"), (_START, b"19900101")),
    "XDS-22": _asked("$XDSDocumentEntryEntryUUID", by=_answered(_NOTHING)),
    "XDS-23": _asked("$XDSDocumentEntryUniqueId", by=_answered(_NOTHING)),
    "XDS-24": _asked(FIND_SUBMISSION_SETS, by=_answered(_NOTHING)),
    "XDS-25": _asked(GET_SUBMISSION_SET_AND_CONTENTS, by=_answered(_NOTHING)),
    "XDS-26": _remembered((_FIND, _APPROVED, _ENTRIES), (UNKNOWN_PATIENT.replace("&", "&amp;").encode(),)),
    "XDS-27": _asked(_FIND, by=_body(b"XDSStoredQueryMissingParam", b"XDSRegistryError")),
    "XDS-28": _asked(UNKNOWN_QUERY, by=_body(b"XDSUnknownStoredQuery", b"XDSRegistryError")),
}


@pytest.mark.parametrize("broken", twin_cases("xds"))
async def test_broken_twin_is_told_its_fault_and_no_other(kit_world: KitWorld, broken: str) -> None:
    assert_only_fault(await run(kit_world, TWINS[broken]), broken)
