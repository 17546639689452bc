"""What is wrong is refused with a status and words that help."""

from uuid import uuid4

from esante.services.conformance.kits.checks import Checks, expect, expect_outcome, expect_status
from esante.services.conformance.kits.fhir.observations import create, new_observation, search_path
from esante.services.conformance.kits.fhir_requests import FHIR_JSON, fhir_get, fhir_headers
from esante.services.conformance.kits.session import Session

CHECKS = Checks()


@CHECKS.of("FHIR-25")
async def _no_token(session: Session) -> None:
    reply = await session.send("GET", "Observation?patient=1", headers={"Accept": FHIR_JSON})
    expect_status(reply, 401, remedy="Refuse requests without a token by 401.")
    expect("www-authenticate" in reply.headers, "WWW-Authenticate is missing.", "Name the scheme in it.")


@CHECKS.of("FHIR-26")
async def _broken_json(session: Session) -> None:
    headers = fhir_headers(session)
    reply = await session.send("POST", "Observation", content=b'{"resourceType": ', headers=headers)
    expect_status(reply, 400, 422, remedy="Answer a body that cannot be parsed with 400.")
    expect_outcome(reply)


@CHECKS.of("FHIR-27")
async def _invalid_resource(session: Session) -> None:
    reply = await create(session, await new_observation(session) | {"status": "nonsense"})
    expect_status(reply, 400, 422, remedy="Refuse a resource whose codes FHIR does not know.")
    issues = expect_outcome(reply)["issue"]
    placed = [one for one in issues if one.get("expression") or one.get("location")]
    expect(placed, "The OperationOutcome does not say where.", "Name the element in issue.expression.")


@CHECKS.of("FHIR-28")
async def _unknown_address(session: Session) -> None:
    for path in (f"Observation/{uuid4().hex}", f"NoSuchType/{uuid4().hex}"):
        reply = await fhir_get(session, path)
        expect_status(reply, 404, remedy="Answer 404.")
        expect_outcome(reply)


@CHECKS.of("FHIR-29")
async def _media_types(session: Session) -> None:
    headers = fhir_headers(session) | {"Content-Type": "text/plain"}
    reply = await session.send("POST", "Observation", content=b"text", headers=headers)
    expect_status(reply, 415, remedy="Refuse other media types by 415.")
    reply = await fhir_get(session, await search_path(session), Accept="image/png")
    expect_status(reply, 406, remedy="Refuse to answer in formats that are not offered by 406.")
