"""An app that a user opens: consent, code, tokens, what they give access to, and what they do not."""

import time
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from esante.services.conformance.kits.checks import Checks, entries, expect, expect_resource, expect_status
from esante.services.conformance.kits.client_sign_in import expect_oauth_error, expect_token
from esante.services.conformance.kits.fhir_requests import FHIR_JSON
from esante.services.conformance.kits.model import Fault, NotApplicable
from esante.services.conformance.kits.session import Reply, Session
from esante.services.conformance.kits.smart.authorization import (
    ALLOW,
    REFUSE,
    AppRequest,
    follow,
    new_request,
)

CHECKS = Checks()
_TYPES = ("Condition", "Immunization", "DocumentReference", "AllergyIntolerance", "MedicationRequest")
"""Types of which one is not covered by the scopes of most apps."""


async def _authorize(session: Session) -> tuple[AppRequest, dict[str, str]]:
    """Return a request that the user allows, and the response to the app. Raises: `Fault`."""
    request = new_request(session)
    way = await follow(session, request, session.options.get("consent") or ALLOW)
    if way.response is None:
        what = f"The request does not lead back to the app: the last page has the status {way.last.status}."
        raise Fault(what, "Offer a form with the button that the option consent names, and forward to the app.")
    expect(way.response.get("code"), f"The response is {way.response}.", "Answer an allowed request with a code.")
    return request, way.response


async def _expect_refused(session: Session, request: AppRequest, remedy: str) -> None:
    """Raise `Fault` when a request leads to a code."""
    way = await follow(session, request, session.options.get("consent") or ALLOW)
    given = (way.response or {}).get("code")
    expect(not given, "The request was answered with a code.", remedy)


@CHECKS.of("SMART-07")
async def _no_challenge(session: Session) -> None:
    request = new_request(session, code_challenge=None, code_challenge_method=None)
    await _expect_refused(session, request, "Refuse requests without code_challenge by invalid_request.")


@CHECKS.of("SMART-08")
async def _other_audience(session: Session) -> None:
    request = new_request(session, aud="https://other.example/fhir")
    await _expect_refused(session, request, "Refuse requests whose aud is another FHIR server.")


@CHECKS.of("SMART-09")
async def _refusal(session: Session) -> None:
    request = new_request(session)
    way = await follow(session, request, session.options.get("refusal") or REFUSE)
    if not way.asked and way.response and "code" in way.response:
        raise NotApplicable("The target remembers an earlier consent, and did not ask the user.")
    response = way.response or {}
    error = response.get("error")
    expect(error == "access_denied", f"The response is {response}.", "Tell the app access_denied when a user refuses.")
    expect(response.get("state") == request.state, "state is not the one sent.", "Return state as it came.")


@CHECKS.of("SMART-10")
async def _code(session: Session) -> None:
    request, response = await _authorize(session)
    expect(response.get("state") == request.state, "state is not the one sent.", "Return state as it came.")
    session.values |= {"request": request, "code": response["code"]}


def _code_form(session: Session, code: str, verifier: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": session.option("app"),
        "redirect_uri": session.option("redirect"),
        "code": code,
        "code_verifier": verifier,
    }


async def _token(session: Session, form: dict[str, str]) -> Reply:
    return await session.send("POST", session.value("token_endpoint"), form=form)


@CHECKS.of("SMART-11")
async def _wrong_verifier(session: Session) -> None:
    _, response = await _authorize(session)
    reply = await _token(session, _code_form(session, response["code"], new_request(session).verifier))
    expect_oauth_error(reply, "invalid_grant", remedy="Compare code_verifier with the challenge of the request.")


@CHECKS.of("SMART-12")
async def _exchange(session: Session) -> None:
    form = _code_form(session, session.value("code"), session.value("request").verifier)
    reply = await _token(session, form)
    found = expect_token(reply)
    expect(found.get("scope"), "scope is missing.", "Say which scopes were granted.")
    expect(found.get("patient"), "patient is missing.", "Give the patient in context, where launch/patient was asked.")
    session.values |= {"tokens": found, "used_code": form}


async def _new_tokens(session: Session) -> tuple[AppRequest, Reply]:
    """Return a further request that the user allows, and the answer to its code."""
    request, response = await _authorize(session)
    return request, await _token(session, _code_form(session, response["code"], request.verifier))


@CHECKS.of("SMART-13")
async def _no_store(session: Session) -> None:
    _, reply = await _new_tokens(session)
    cache = reply.headers.get("cache-control", "")
    expect("no-store" in cache.lower(), f"Cache-Control is {cache!r}.", "Send no-store with tokens.")


@CHECKS.of("SMART-14")
async def _granted(session: Session) -> None:
    request, reply = await _new_tokens(session)
    asked = set(request.parameters["scope"].split())
    more = set(reply.json()["scope"].split()) - asked
    wider = {one for one in more if not _narrows(one, asked)}
    expect(not wider, f"The scopes {sorted(wider)} were not asked for.", "Grant what was asked for, or less.")


def _narrows(scope: str, asked: set[str]) -> bool:
    """Return whether a scope is one asked for with fewer letters (SMART v2)."""
    name, _, letters = scope.partition("?")[0].rpartition(".")
    return any(
        other.partition("?")[0].rpartition(".")[0] == name and set(letters) <= set(other.rpartition(".")[2])
        for other in asked
    )


async def _get(session: Session, path: str, token: str) -> Reply:
    return await session.send("GET", path, headers={"Authorization": f"Bearer {token}", "Accept": FHIR_JSON})


@CHECKS.of("SMART-15")
async def _reads_patient(session: Session) -> None:
    tokens = session.value("tokens")
    reply = await _get(session, f"Patient/{tokens['patient']}", tokens["access_token"])
    expect_status(reply, 200, remedy="Let the app read the patient in context with its token.")
    expect_resource(reply, "Patient")


@CHECKS.of("SMART-16")
async def _other_patient(session: Session) -> None:
    other, token = session.option("other-patient"), session.value("tokens")["access_token"]
    reply = await _get(session, f"Patient/{other}", token)
    expect_status(reply, 403, 404, remedy="Let the token of a patient give access to no other.")
    reply = await _get(session, f"Observation?patient={other}", token)
    shown = entries(reply.json(), "Observation") if reply.status == 200 else []
    expect(not shown, "The app finds data of another patient.", "Search only in the patient of the token.")


@CHECKS.of("SMART-17")
async def _beyond_scopes(session: Session) -> None:
    tokens = session.value("tokens")
    granted = tokens["scope"]
    if "/*" in granted:
        raise NotApplicable("All types were asked for; give app-scope with some types only.")
    type_ = next(one for one in _TYPES if f"/{one}." not in granted)
    reply = await _get(session, f"{type_}?patient={tokens['patient']}", tokens["access_token"])
    expect_status(reply, 403, 401, remedy="Compare the scopes of the token with the type that is asked for.")


@CHECKS.of("SMART-18")
async def _identity(session: Session) -> None:
    if "openid" not in session.value("tokens")["scope"].split():
        raise NotApplicable("The scope openid was not granted.")
    request, reply = await _new_tokens(session)
    tokens = reply.json()
    claims = _verified(str(tokens.get("id_token", "")), session.value("keys"))
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    for name, correct in (
        ("iss", claims.get("iss") == session.value("issuer")),
        ("aud", session.option("app") in named),
        ("nonce", claims.get("nonce") == request.nonce),
        ("exp", int(claims.get("exp", 0)) > time.time()),
        ("fhirUser", claims.get("fhirUser") or "fhirUser" not in tokens["scope"].split()),
    ):
        expect(correct, f"{name} of the identity token is {claims.get(name)!r}.", "Follow OpenID Connect Core.")


def _verified(token: str, keys: list[Any]) -> dict[str, Any]:
    """Return the claims of an identity token. Raises: `Fault` when no published key verifies it."""
    try:
        algorithms = ["RS256", "RS384", "ES256", "ES384"]
        return dict(jwt.decode(token, KeySet.import_key_set({"keys": keys}), algorithms=algorithms).claims)
    except (JoseError, ValueError) as error:
        what = f"The identity token cannot be verified: {type(error).__name__}."
        raise Fault(what, "Sign it with a key that jwks_uri publishes.") from error


@CHECKS.of("SMART-19")
async def _refresh(session: Session) -> None:
    tokens = session.value("tokens")
    if not tokens.get("refresh_token"):
        raise NotApplicable("No refresh token was given: offline_access was not granted.")
    form = {
        "grant_type": "refresh_token",
        "client_id": session.option("app"),
        "refresh_token": tokens["refresh_token"],
    }
    found = expect_token(await _token(session, form))
    reply = await _get(session, f"Observation?patient={tokens['patient']}&_count=1", found["access_token"])
    expect_status(reply, 200, remedy="Let the new token do what the first one did.")


@CHECKS.of("SMART-20")
async def _code_once(session: Session) -> None:
    reply = await _token(session, session.value("used_code"))
    expect_oauth_error(reply, "invalid_grant", remedy="Accept a code once.")
