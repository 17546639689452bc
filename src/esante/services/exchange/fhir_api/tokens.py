"""The tokens of FHIR requests between contact points: assertions in a JWT (RFC 7519). Pure.

OpenNCP signs with a secret that both sides share and re-indents the assertions, which breaks their signatures. Here
the seal of the contact point signs (RS384), each request has a token of its own for one address, and the claims
`HCP`, `TRC` and `NOK` are the exact bytes of the assertions in base64.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from lxml import etree

from esante.core.plain_xml import BrokenXml, parse_xml
from esante.core.soap import WSSE
from esante.core.storage import uuid7
from esante.services.exchange.assertions.issuer import Issuer
from esante.services.exchange.assertions.model import Cause, Refused
from esante.services.exchange.contact_points import ContactPoint

ALGORITHM = "RS384"
LASTS = timedelta(minutes=5)
TOLERANCE = timedelta(seconds=60)
CLAIMS = ("HCP", "TRC", "NOK")
MAX_TOKEN = 96 * 1024
_MAX_MARKUP = 4_000


def write_token(issuer: Issuer, assertions: Mapping[str, etree._Element], audience: str, at: datetime) -> str:
    """Return the token of a request. `assertions`: by the name of their claim; `audience`: the address asked."""
    claims = {
        "iss": issuer.country,
        "aud": audience,
        "iat": int(at.timestamp()),
        "exp": int((at + LASTS).timestamp()),
        "jti": str(uuid7()),
        **{name: base64.b64encode(etree.tostring(one)).decode("ascii") for name, one in assertions.items()},
    }
    return jwt.encode({"alg": ALGORITHM, "typ": "JWT"}, claims, RSAKey.import_key(issuer.key), algorithms=[ALGORITHM])


def read_token(token: str, point: ContactPoint, audience: str, at: datetime) -> etree._Element:
    """Return a header of WS-Security with the assertions of a token, which are still to be verified.

    Raises: `Refused` for a token that no seal of the contact point signed, for another address, or past its time.
    """
    if len(token) > MAX_TOKEN:
        raise Refused(Cause.NOT_VALID, "the token is too long")
    claims = next(filter(None, (_claims(token, one) for one in point.seals)), None)
    if claims is None:
        raise Refused(Cause.INTEGRITY, "no seal of the contact point signed the token")
    issued, ends = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or not isinstance(ends, int) or not 0 < ends - issued <= LASTS.total_seconds():
        raise Refused(Cause.NOT_VALID, f"the token must say from when until when it is valid, at most {LASTS}")
    seconds = TOLERANCE.total_seconds()
    if not issued - seconds <= at.timestamp() < ends + seconds:
        raise Refused(Cause.NOT_VALID, "the token is not valid now")
    if claims.get("aud") != audience or claims.get("iss") != point.country:
        raise Refused(Cause.NOT_VALID, "the token is meant for others, or from others")
    security = etree.Element(f"{{{WSSE}}}Security", nsmap={"wsse": WSSE})
    for name in CLAIMS:
        if name in claims:
            security.append(_assertion(claims[name], name))
    return security


def _claims(token: str, certificate: object) -> dict[str, object] | None:
    """Return what was signed with the key of a certificate, None where it was not."""
    pem = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    try:
        return dict(jwt.decode(token, RSAKey.import_key(pem), algorithms=[ALGORITHM]).claims)
    except (JoseError, ValueError, RecursionError):
        return None


def _assertion(text: object, name: str) -> etree._Element:
    try:
        return parse_xml(base64.b64decode(str(text), validate=True), max_markup=_MAX_MARKUP)
    except (BrokenXml, ValueError, binascii.Error) as error:
        raise Refused(Cause.NOT_VALID, f"the claim {name} is no assertion in base64") from error
