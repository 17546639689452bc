"""Id tokens as an app receives and verifies them."""

from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet

from tests.identity.access.conftest import BASE
from tests.support.smart_apps import FHIR


async def test_id_token_is_signed_by_a_published_key(house, signed_in, app):
    anna = await house.open_patient()
    user = await signed_in(anna)
    code = app.parse_response(await user.decide(await user.open(app, nonce="n-1")))["code"]
    signed = (await app.exchange(code)).json()["id_token"]
    discovered = (await app.http.get("/.well-known/openid-configuration")).json()
    keys = KeySet.import_key_set((await app.http.get(urlsplit(discovered["jwks_uri"]).path)).json())
    token = jwt.decode(signed, keys, algorithms=["RS256"])
    assert discovered["issuer"] == token.claims["iss"] == BASE
    assert (token.claims["aud"], token.claims["nonce"], token.claims["sub"]) == ("sample", "n-1", str(anna.id))
    assert token.claims["fhirUser"] == f"{FHIR}/Patient/{anna.id}"
    assert token.claims["exp"] - token.claims["iat"] == 300
    assert "d" not in keys.as_dict()["keys"][0]
