"""Enrolment of agents with one-time tokens, whose secret never travels."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from asyncpg import UniqueViolationError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from esante.core import clock
from esante.core.journal import Actor, Journal
from esante.core.storage import Connection as Conn
from esante.core.storage import Database, insert
from esante.services.healthnet.bundles.format import canonical, key_id
from esante.services.healthnet.bundles.secrets import Secrets, derive
from esante.services.healthnet.controller import connection_store
from esante.services.healthnet.controller.connections import check_key
from esante.services.healthnet.controller.model import (
    AgentEnrolled,
    ControlRefused,
    EnrolmentRefused,
    TunnelKeyChanged,
)
from esante.services.healthnet.controller.rollout import bundle_store
from esante.services.healthnet.controller.rollout.signing_keys import SigningKeys

Certifier = Callable[[Conn, str, bytes, str], Awaitable[dict[str, Any] | None]]
"""Returns what an agent keeps as its certificate, within the transaction; None when there is no authority.

It takes the key of the site, the request (PEM), and where that comes from."""
_REFUSED = "this token is not valid: ask the agency for a new one"


class Enrolments:
    """Admits agents. `keys`, `release_keys`: the keys whose signatures they accept on bundles and on updates."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        secrets: Secrets,
        keys: SigningKeys,
        release_keys: Mapping[str, Mapping[str, str]],
        certify: Certifier | None = None,
    ) -> None:
        self._db, self._journal, self._secrets = db, journal, secrets
        self._keys, self._release_keys, self._certify = keys, release_keys, certify

    async def enrol(self, message: Any, origin: str) -> dict[str, Any]:
        """Return the answer to an enrolment, with the proof that it comes from who issued the token.

        The same agent may ask again, when it did not get the answer: it gets it again.
        Raises: ControlRefused, with the same words for a token that is unknown, ended, used by another, or whose
        secret the sender does not have.
        """
        try:
            content, proof = message["content"], message["proof"]
            token_id, site = UUID(content["token"]), str(content["site"])
            identity, tunnel = bytes.fromhex(content["identity"]), str(content["tunnel"])
            request = x509.load_pem_x509_csr(content["request"].encode())
            wanted = derive(self._secrets.token_secret(token_id), "request\n" + canonical(content).decode()).hex()
            is_proved = hmac.compare_digest(wanted, str(proof))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ControlRefused(400, "this is no enrolment") from error
        if not is_proved:
            raise ControlRefused(403, _REFUSED)
        check_key(tunnel)
        if not _belongs(request, identity):
            raise ControlRefused(400, "the request for a certificate is not signed by the key of the agent")
        certificate = await self._admit(token_id, site, identity, tunnel, content["request"].encode(), origin)
        trusted = (await self._keys.signers()).trusted
        answer: dict[str, Any] = {"trusted": trusted, "release_keys": self._release_keys}
        if certificate:
            answer["certificate"] = certificate
        secret = self._secrets.token_secret(token_id)
        return {
            "content": answer,
            "proof": derive(secret, "answer\n" + wanted + "\n" + canonical(answer).decode()).hex(),
        }

    async def _admit(
        self, token_id: UUID, site: str, identity: bytes, tunnel: str, request: bytes, origin: str
    ) -> dict[str, Any] | None:
        refused, certificate = "", None
        try:
            async with self._db.transaction() as conn:
                token = await connection_store.fetch_token(conn, token_id)
                if token is None or token["site"] != site or token["is_revoked"]:
                    refused = "ended"
                elif token["used_by"] is not None:
                    refused = "" if token["used_by"] == identity else "used"
                elif token["expires_at"] < clock.now():
                    refused = "expired"
                else:
                    await connection_store.enrol(conn, token_id, site, identity)
                    key_row = (connection_store.TUNNEL_KEY, (site, 1, tunnel, clock.now()))
                    actor = Actor(kind="system", name=f"agent of {site}")
                    events = [
                        AgentEnrolled(site=site, token_id=token_id, key=key_id(identity)),
                        TunnelKeyChanged(site=site, generation=1),
                    ]
                    rows = [row for one in events for row in self._journal.rows(one, actor=actor, origin=origin)]
                    await insert(conn, [key_row, *rows])
                    await bundle_store.ask(conn, {site: 0}, is_forced=True)
                if not refused and self._certify is not None:
                    certificate = await self._certify(conn, site, request, origin)
        except UniqueViolationError as error:
            raise ControlRefused(409, "another site has this WireGuard key: make a new one") from error
        if refused:
            await self._journal.append(EnrolmentRefused(token_id=token_id, reason=refused), origin=origin)
            raise ControlRefused(403, _REFUSED)
        return certificate


def _belongs(request: x509.CertificateSigningRequest, identity: bytes) -> bool:
    key = request.public_key()
    return (
        request.is_signature_valid
        and isinstance(key, Ed25519PublicKey)
        and key.public_bytes(Encoding.Raw, PublicFormat.Raw) == identity
    )
