"""An authenticator in software (ES256, attestation none), which can also do what a true one would not."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def encode(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class SoftAuthenticator:
    """Holds one passkey of a site; `count` is its counter, which each signature raises."""

    def __init__(self, origin: str, rp_id: str) -> None:
        self.origin, self.rp_id = origin, rp_id
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(16)
        self.count = 0
        self.user_handle = b""

    def create(self, options: str, **changes) -> str:
        """Answer options for a new passkey (JSON)."""
        given = json.loads(options)
        self.user_handle = decode(given["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + len(self.id).to_bytes(2) + self.id + cbor2.dumps(cose)
        data = self._data(changes.get("flags", PRESENT | VERIFIED) | ATTESTED) + attested
        response = {
            "clientDataJSON": self._client_data("webauthn.create", given["challenge"], changes),
            "attestationObject": encode(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
        }
        return self._answer(response)

    def sign(self, options: str, **changes) -> str:
        """Answer options for a signature (JSON). `changes`: origin, challenge, count, flags, user_handle, type."""
        given = json.loads(options)
        self.count = changes.get("count", self.count + 1)
        data = self._data(changes.get("flags", PRESENT | VERIFIED))
        client_data = self._client_data(changes.get("type", "webauthn.get"), given["challenge"], changes)
        digest = hashlib.sha256(decode(client_data)).digest()
        signature = self.key.sign(data + digest, ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": client_data,
            "authenticatorData": encode(data),
            "signature": encode(signature),
            "userHandle": encode(changes.get("user_handle", self.user_handle)),
        }
        return self._answer(response)

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4)

    def _client_data(self, type_: str, challenge: str, changes) -> str:
        content = {
            "type": type_,
            "challenge": changes.get("challenge", challenge),
            "origin": changes.get("origin", self.origin),
            "crossOrigin": False,
        }
        return encode(json.dumps(content).encode())

    def _answer(self, response) -> str:
        id_ = encode(self.id)
        return json.dumps(
            {"id": id_, "rawId": id_, "type": "public-key", "response": response, "clientExtensionResults": {}}
        )
