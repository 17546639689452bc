#!/usr/bin/env python3
"""Verify a proof file of the journal with nothing but Python's standard library.

    python3 verifier.py proof.json [--key BASE64]

It answers three questions: is each entry in the signed tree as it is written here (RFC 9162), are the
entries complete (their numbers run from 1 to the signed count), and did the key sign both (Ed25519,
RFC 8032)? Compare the key with the one the agency publishes, or give that one with --key.
Exit status: 0 verified, 1 not verified, 2 the file cannot be read.
"""

import base64
import hashlib
import json
import sys
from datetime import datetime, timedelta, timezone
from uuid import UUID

EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - also for older Pythons
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def main(arguments):
    """Verify the file named in `arguments`; return the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as file:  # noqa: PTH123 - no more imports than needed
            proof = json.load(file)
        key = arguments[arguments.index("--key") + 1] if "--key" in arguments else proof["key"]["ed25519"]
        lines = check(proof, base64.b64decode(key))
    except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
        print(f"NOT VERIFIED: {error}")
        return 1 if isinstance(error, ProofError) else 2
    print("\n".join(lines))
    return 0


class ProofError(ValueError):
    """The proof file is not verified; the message says why."""


def check(proof, key):
    """Check a proof against a public key (32 bytes); return lines to print. Raises: ProofError."""
    origin, size, root, *_ = verify_note(proof["checkpoint"], proof["key"]["name"], key)
    kind, person, count, stated_size, *_ = verify_note(proof["statement"], proof["key"]["name"], key)
    if (kind, person, stated_size) != (f"{origin}/person", proof["person"], size):
        raise ProofError("the signed statement is about another person or another tree")
    if [entry["number"] for entry in proof["entries"]] != list(range(1, int(count) + 1)):
        raise ProofError(f"entries are missing: {len(proof['entries'])} are here, {count} are signed for")
    lines = []
    for entry in proof["entries"]:
        digest, line = entry_digest(entry, person)
        leaf = hashlib.sha256(b"\x00" + entry["number"].to_bytes(8, "big") + digest).digest()
        path = [bytes.fromhex(step) for step in entry["path"]]
        if root_from_path(entry["position"], int(size), leaf, path) != base64.b64decode(root):
            raise ProofError(f"entry {entry['number']} is not in the signed tree")
        lines.append(line)
    lines.append(f"VERIFIED: all {count} entries are here and unaltered, in a tree of {size}.")
    return lines


def entry_digest(entry, person):
    """Return the digest of an entry (32 bytes) and a line of text for it."""
    line = f"{entry['number']:>6}  {entry['at'][:19]}Z  {entry['type']:<28}"
    if "content" not in entry:
        return bytes.fromhex(entry["digest"]), f"{line} (content removed after its retention)"
    actor = json.loads(entry["content"])["actor"]
    micros = (datetime.fromisoformat(entry["at"]) - EPOCH) // timedelta(microseconds=1)
    hashed = bytes.fromhex(entry["salt"]) + UUID(entry["id"]).bytes + UUID(person).bytes
    hashed += micros.to_bytes(8, "big", signed=True) + entry["type"].encode() + b"\0" + entry["content"].encode()
    return hashlib.sha256(hashed).digest(), f"{line} {actor.get('name') or actor['kind']}"


def root_from_path(node, size, value, path):
    """Return the root that follows from a leaf and its path (RFC 9162, section 2.1.3.2)."""
    last = size - 1
    for sibling in path:
        if last <= 0:
            raise ProofError("a proof is too long")
        if node & 1 or node == last:
            value = hashlib.sha256(b"\x01" + sibling + value).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = hashlib.sha256(b"\x01" + value + sibling).digest()
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError("a proof is too short")
    return value


def verify_note(note, name, key):
    """Return the lines of a signed note. Raises: ProofError unless `key` signed them."""
    text, _, tail = note.partition("\n\n")
    signer, _, signature = tail.removeprefix("— ").strip().rpartition(" ")
    if signer != name or not is_signed(key, f"{text}\n".encode(), base64.b64decode(signature)[4:]):
        raise ProofError("a signature is invalid")
    return text.split("\n")


def is_signed(key, message, signature):
    """Return whether `signature` of `message` is valid (RFC 8032, section 5.1.7)."""
    commitment, public = decode_point(signature[:32]), decode_point(key)
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or commitment is None or public is None or scalar >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    return equal_points(multiply_point(scalar, BASE), add_points(commitment, multiply_point(challenge, public)))


def decode_point(data):
    """Return the curve point of 32 bytes as (X, Y, Z, T), or None (RFC 8032, section 5.1.3)."""
    if len(data) != 32:
        return None
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P


def add_points(p, q):
    """Return the sum of two points (RFC 8032, section 5.1.4)."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply_point(scalar, point):
    """Return the sum of `scalar` times a point."""
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add_points(result, point)
        point = add_points(point, point)
        scalar >>= 1
    return result


def equal_points(p, q):
    """Return whether two points in projective coordinates are equal."""
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


BASE = decode_point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
