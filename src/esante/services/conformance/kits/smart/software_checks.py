"""Software that signs in with its key, without a user (Backend Services), and assertions that are refused."""

import base64
import time

import orjson

from esante.services.conformance.kits.checks import Checks
from esante.services.conformance.kits.client_sign_in import (
    assertion,
    expect_oauth_error,
    expect_token,
    other_key,
    request_token,
    signing_key,
    token_form,
)
from esante.services.conformance.kits.session import Session

CHECKS = Checks()
_SCOPE = "system/Patient.rs"


def _scope(session: Session) -> str:
    return session.options.get("scope") or _SCOPE


async def _expect_invalid_client(session: Session, signed: str, remedy: str) -> None:
    reply = await request_token(session, token_form(session, signed, _scope(session)))
    expect_oauth_error(reply, "invalid_client", "invalid_grant", remedy=remedy)


@CHECKS.of("SMART-21")
async def _signed_in(session: Session) -> None:
    signed = assertion(session, signing_key(session))
    expect_token(await request_token(session, token_form(session, signed, _scope(session))))
    session.values["assertion"] = signed


@CHECKS.of("SMART-22")
async def _forged(session: Session) -> None:
    signed = assertion(session, other_key(signing_key(session)))
    await _expect_invalid_client(session, signed, "Verify the signature with the registered key.")


@CHECKS.of("SMART-23")
async def _unsigned(session: Session) -> None:
    claims = {
        "iss": session.option("client"),
        "sub": session.option("client"),
        "aud": session.value("token_endpoint"),
        "exp": int(time.time()) + 200,
        "jti": str(time.time_ns()),
    }
    parts = [base64.urlsafe_b64encode(orjson.dumps(one)).rstrip(b"=").decode() for one in ({"alg": "none"}, claims)]
    await _expect_invalid_client(session, ".".join([*parts, ""]), "Accept RS384 and ES384, and never none.")


@CHECKS.of("SMART-24")
async def _expired(session: Session) -> None:
    signed = assertion(session, signing_key(session), exp=int(time.time()) - 600)
    await _expect_invalid_client(session, signed, "Refuse an assertion after its exp.")


@CHECKS.of("SMART-25")
async def _long_lived(session: Session) -> None:
    signed = assertion(session, signing_key(session), exp=int(time.time()) + 86_400)
    await _expect_invalid_client(session, signed, "Refuse an assertion whose exp is more than five minutes ahead.")


@CHECKS.of("SMART-26")
async def _other_audience(session: Session) -> None:
    signed = assertion(session, signing_key(session), aud="https://other.example/token")
    await _expect_invalid_client(session, signed, "Accept assertions for this token endpoint only.")


@CHECKS.of("SMART-27")
async def _replayed(session: Session) -> None:
    await _expect_invalid_client(session, session.value("assertion"), "Remember each jti until its exp has passed.")


@CHECKS.of("SMART-28")
async def _scopes_of_users(session: Session) -> None:
    form = token_form(session, assertion(session, signing_key(session)), "patient/Patient.rs user/Patient.rs")
    reply = await request_token(session, form)
    expect_oauth_error(reply, "invalid_scope", remedy="Give software without a user scopes of the level system only.")


@CHECKS.of("SMART-29")
async def _other_grant(session: Session) -> None:
    signed = assertion(session, signing_key(session))
    form = token_form(session, signed, _scope(session), grant_type="password", username="kit")
    reply = await request_token(session, form)
    allowed = ("unsupported_grant_type", "unauthorized_client")
    expect_oauth_error(reply, *allowed, remedy="Offer no sign-in with a user's password.")
