"""Trusted issuers: the agency itself, and those of a directory file.

The file has the layout of the VCI snapshot, which other countries' software reads and writes: `issuerInfo`, a list of
`issuer` (`iss`, `name`), `keys` (JWK) and `crls` (`kid`, `method`, `ctr`, `rids`). A key may have `signed_until`:
seconds since 1970 after which it signed nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from esante.core.types import Json
from esante.services.vaccination.health_cards.model import PublishedKey, TrustedIssuer, TrustedKey

MAX_DIRECTORY = 16 * 1024 * 1024
"""Bytes of a directory file."""


class DirectoryError(ValueError):
    """A directory of issuers that cannot be used; the message says where it is wrong."""


def read_directory(content: bytes) -> list[TrustedIssuer]:
    """Return the issuers of a directory file. Raises: `DirectoryError`."""
    if len(content) > MAX_DIRECTORY:
        raise DirectoryError(f"the directory has more than {MAX_DIRECTORY:,} bytes")
    try:
        entries = orjson.loads(content)["issuerInfo"]
        return [_issuer(one, f"issuerInfo[{index}]") for index, one in enumerate(entries)]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise DirectoryError(f"not a directory in the layout of the VCI snapshot: {error}") from error


def load_directory(path: str) -> list[TrustedIssuer]:
    """Return the issuers of the directory file at `path`; "" for none. Raises: `DirectoryError`."""
    if not path:
        return []
    try:
        return read_directory(Path(path).read_bytes())
    except (OSError, DirectoryError) as error:
        raise DirectoryError(f"{path}: {error}") from error


def _issuer(entry: Json, place: str) -> TrustedIssuer:
    crls = {str(one["kid"]): one for one in entry.get("crls", ())}
    keys = {}
    for index, jwk in enumerate(entry["keys"]):
        kid, where = str(jwk.get("kid")), f"{place}.keys[{index}]"
        rids = crls.get(kid, {}).get("rids", ())
        keys[kid] = TrustedKey(
            jwk=public_jwk(jwk, where), signed_until=jwk.get("signed_until"), rids=frozenset(map(str, rids))
        )
    return TrustedIssuer(iss=str(entry["issuer"]["iss"]), name=str(entry["issuer"].get("name", "")), keys=keys)


def public_jwk(jwk: Json, place: str) -> Json:
    """Return the members of a public key that a verification needs.

    Raises: `DirectoryError` for a private key, one that is not on P-256, or a `kid` that is not its thumbprint.
    """
    if "d" in jwk:
        raise DirectoryError(f"{place} is a private key: remove it, and withdraw the key")
    public = {name: str(jwk.get(name)) for name in ("kty", "crv", "x", "y")}
    try:
        key = ECKey.import_key({**public})
        is_p256 = public["kty"] == "EC" and public["crv"] == "P-256"
    except (JoseError, ValueError, TypeError) as error:
        raise DirectoryError(f"{place} is no key: {error}") from error
    if not is_p256 or key.thumbprint() != jwk.get("kid"):
        raise DirectoryError(f"{place} is not on P-256, or its `kid` is not its thumbprint (RFC 7638)")
    return {**public, "kid": jwk["kid"], "use": "sig", "alg": "ES256"}


def own_issuer(iss: str, name: str, keys: Iterable[PublishedKey]) -> TrustedIssuer:
    """Return the agency as a trusted issuer."""
    trusted = {
        key.kid: TrustedKey(
            jwk=key.jwk,
            signed_until=key.retired_at.timestamp() if key.retired_at else None,
            rids=frozenset(key.rids),
        )
        for key in keys
    }
    return TrustedIssuer(iss=iss, name=name, keys=trusted)


def directory_json(issuers: Sequence[TrustedIssuer]) -> Json:
    """Return issuers in the layout of a directory file, for the page of the verification."""
    return {"issuerInfo": [_entry(one) for one in issuers]}


def _entry(issuer: TrustedIssuer) -> Json:
    keys: list[Json] = []
    for key in issuer.keys.values():
        until = {"signed_until": key.signed_until} if key.signed_until is not None else {}
        keys.append({**key.jwk, **until})
    crls = [
        {"kid": kid, "method": "rid", "ctr": 1 + len(key.rids), "rids": sorted(key.rids)}
        for kid, key in issuer.keys.items()
        if key.rids
    ]
    return {"issuer": {"iss": issuer.iss, "name": issuer.name}, "keys": keys, "crls": crls}


def by_address(issuers: Iterable[TrustedIssuer]) -> Mapping[str, TrustedIssuer]:
    """Return issuers by their address."""
    found: dict[str, Any] = {one.iss: one for one in issuers}
    return found
