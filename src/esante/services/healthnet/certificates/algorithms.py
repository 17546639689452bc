"""Algorithms of signatures by the names that data use."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """A way to make keys; `digest`: what certificates are hashed with where the algorithm does not do it itself."""

    make_key: Callable[[], Any]
    digest: SHA256 | SHA384 | None
    is_post_quantum: bool = False


ALGORITHMS: Mapping[str, Algorithm] = {
    "ecdsa-p256": Algorithm(make_key=lambda: ec.generate_private_key(ec.SECP256R1()), digest=SHA256()),
    "ecdsa-p384": Algorithm(make_key=lambda: ec.generate_private_key(ec.SECP384R1()), digest=SHA384()),
    "ed25519": Algorithm(make_key=ed25519.Ed25519PrivateKey.generate, digest=None),
    "ml-dsa-65": Algorithm(make_key=mldsa.MLDSA65PrivateKey.generate, digest=None, is_post_quantum=True),
}


def algorithm_of(public_key: Any) -> str:
    """Return the name of the algorithm of a public key. Raises: ValueError for any other."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        names = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384"}
        if public_key.curve.name in names:
            return names[public_key.curve.name]
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return "ed25519"
    if isinstance(public_key, mldsa.MLDSA65PublicKey):
        return "ml-dsa-65"
    raise ValueError(f"keys of this kind are not used; make one of {', '.join(ALGORITHMS)}")


def digest_of(public_key: Any) -> SHA256 | SHA384 | None:
    """Return the hash with which a key of this algorithm signs certificates."""
    return ALGORITHMS[algorithm_of(public_key)].digest
