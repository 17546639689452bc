"""Who may ask, and messages that are none."""

from lxml import etree

from esante.core.soap import MEDIA_TYPE
from esante.core.xds import APPROVED, FIND_DOCUMENTS
from esante.services.conformance.kits.checks import Checks, expect
from esante.services.conformance.kits.session import Session
from esante.services.conformance.kits.xds.messages import (
    ENTRY,
    QUERY,
    assertion_of,
    expect_refused,
    post,
    query,
    read_answer,
    stored_query,
)

CHECKS = Checks()
_NAME_ID = "{urn:oasis:names:tc:SAML:2.0:assertion}NameID"


def find_parameters(session: Session, status: str = APPROVED) -> dict[str, list[str]]:
    """Return the parameters of a search for the documents of the test patient."""
    return {f"{ENTRY}PatientId": [session.option("patient-cx")], f"{ENTRY}Status": [status]}


def _find(session: Session) -> etree._Element:
    return stored_query(FIND_DOCUMENTS, find_parameters(session))


@CHECKS.of("XDS-01")
async def _nobody(session: Session) -> None:
    reply, _ = await post(session, QUERY, _find(session), authorization=False)
    expect_refused(reply, "Refuse requests of which nobody is known as the sender.")


@CHECKS.of("XDS-02")
async def _assertion(session: Session) -> None:
    assertion = assertion_of(session)
    answer = read_answer(*await post(session, QUERY, _find(session), authorization=False, assertion=assertion))
    tag = etree.QName(answer.message.content).localname
    expect(tag == "AdhocQueryResponse", f"The answer is {tag}.", "Answer users of whom a valid assertion is sent.")


@CHECKS.of("XDS-03")
async def _changed_assertion(session: Session) -> None:
    assertion = assertion_of(session)
    for name in assertion.iter(_NAME_ID):
        name.text = f"{name.text or ''}0"
    reply, _ = await post(session, QUERY, _find(session), authorization=False, assertion=assertion)
    expect_refused(reply, "Verify the signature of assertions over what they say.")


@CHECKS.of("XDS-04")
async def _no_message(session: Session) -> None:
    path = session.options.get("registry") or "registry"
    token = session.options.get("token", "")
    headers = {"Content-Type": MEDIA_TYPE} | ({"Authorization": f"Bearer {token}"} if token else {})
    reply = await session.send("POST", path, content=b"<no-message", headers=headers)
    expect_refused(reply, "Answer what is no message with a fault of the sender.")


@CHECKS.of("XDS-05")
async def _addressing(session: Session) -> None:
    _, answer = await query(session, FIND_DOCUMENTS, find_parameters(session))
    relates = answer.message.relates_to
    expect(relates == answer.asked, f"RelatesTo is {relates!r}.", "Name the MessageID of the request in RelatesTo.")
    expect(answer.action == f"{QUERY}Response", f"Action is {answer.action!r}.", f"Answer with {QUERY}Response.")
