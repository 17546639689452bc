#!/usr/bin/env python3
"""Verify a proof file of the journal with nothing but Python's standard library.

    python3 verifier.py proof.json [--key KEY] [--witness KEY]...

It answers these questions: is each entry in the signed tree as it is written here (RFC 9162), are the entries
complete (their numbers run from 1 to the signed count), did the key sign both (Ed25519, RFC 8032), and was each
content that is missing removed at the signed end of its retention? Compare the key with the one the agency
publishes, or give that one with --key (base64, or name+id+key).
With --witness it also checks that a witness co-signed the tree, or one that this one begins with, so that the agency
cannot show other people another tree. Ask those who run the witness for its key (name+id+key).
Exit status: 0 verified, 1 not verified, 2 the file cannot be read.
"""

import base64
import hashlib
import json
import re
import sys
from datetime import datetime, timedelta, timezone
from uuid import UUID

EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - also for older Pythons
DOMAIN = b"esante-journal-entry/2\0"
PLATFORM = UUID(int=0)
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
        keys = options(arguments, "--key") or [proof["key"]["ed25519"]]
        name, key = parse_key(keys[0], 1)
        lines = Proof(proof, name or proof["key"]["name"], key).check(options(arguments, "--witness"))
    except ProofError as error:
        print(f"NOT VERIFIED: {clean(error)}")
        return 1
    except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError) as error:
        print(f"NOT VERIFIED: the file cannot be read: {type(error).__name__} {clean(error)}")
        return 2
    print("\n".join(lines))
    return 0


class ProofError(ValueError):
    """The proof file is not verified; the message says why."""


class Proof:
    """A proof file, to be checked against the name of a key and its 32 bytes."""

    def __init__(self, proof, name, key):
        self.proof, self.name, self.key = proof, name, key
        self.person = parse_uuid(proof["person"])
        self.origin, size, root, *extensions = verify_note(proof["checkpoint"], self.name, key)
        self.size, self.root = int(size), base64.b64decode(root, validate=True)
        stated = [line[len("format 2 after ") :] for line in extensions if line.startswith("format 2 after ")]
        self.first_format = int(stated[0]) if stated else self.size
        self.expiries, self.kept, self.removed = {}, [], 0

    def check(self, witnesses=()):
        """Check the proof, and the co-signatures of `witnesses` (keys); return lines to print. Raises: ProofError."""
        kind, person, count, size, *_ = verify_note(self.proof["statement"], self.name, self.key)
        if (kind, person, int(size)) != (f"{self.origin}/person", self.proof["person"], self.size):
            raise ProofError("the signed statement is about another person or another tree")
        entries = self.proof["entries"]
        if [entry["number"] for entry in entries] != list(range(1, int(count) + 1)):
            raise ProofError(f"entries are missing: {len(entries)} are here, {count} are signed for")
        for entry in self.proof.get("expiries", []):
            self.add_expiry(entry)
        lines = [self.check_entry(entry) for entry in entries]
        lines += [self.check_witness(key) for key in witnesses]
        unchecked = {item["key"] for item in self.proof.get("witnesses", [])} - set(witnesses)
        lines += [f"not checked, give its key with --witness: the co-signature of {clean(key)}" for key in unchecked]
        unaltered = f"all {count} entries are here and unaltered"
        if self.removed:
            unaltered = (
                f"all {count} entries are here, {int(count) - self.removed} unaltered; of {self.removed} the content"
                f" was removed at the end of its retention (kept for {min(self.kept)} days or more)"
            )
        return [*lines, f"VERIFIED: {unaltered}, in a tree of {self.size}."]

    def check_entry(self, entry):
        """Check an entry of the person; return a line of text for it. Raises: ProofError."""
        at, type_, content = self.check_place(entry, self.person)
        line = f"{entry['number']:>6}  {at:%Y-%m-%dT%H:%M:%S}Z  {clean(type_):<28}"
        if content is not None:
            actor = content["actor"]
            return f"{line} {clean(actor.get('name') or actor['kind'])}"
        before, days = self.covering_expiry(entry, at, type_)
        self.removed += 1
        self.kept.append(days)
        if entry["position"] < self.first_format:  # its digest binds neither time nor type without the content
            line = f"{entry['number']:>6}  before {before:%Y-%m-%d}    {clean(type_):<28}"
        return f"{line} (content removed after its retention)"

    def check_place(self, entry, person):
        """Check that an entry is in the tree; return its time, type, and content (None when removed)."""
        number, position, type_ = entry["number"], entry["position"], entry["type"]
        if type(number) is not int or type(position) is not int or "\0" in type_:
            raise ProofError("an entry is malformed")
        at = parse_time(entry["at"])
        micros = (at - EPOCH) // timedelta(microseconds=1)
        head = parse_uuid(entry["id"]).bytes + person.bytes + micros.to_bytes(8, "big", signed=True)
        head += type_.encode() + b"\0"
        salt, content = parse_hex(entry.get("salt", "")), entry.get("content")
        if content is not None and len(salt) != 16:
            raise ProofError(f"entry {number} has a content without its salt")
        if position >= self.first_format:
            inner = parse_hex(entry["content_hash"]) if content is None else sha256(salt + content.encode())
            digest = sha256(DOMAIN + head + hash_bytes(inner, number))
        elif content is None:
            digest = hash_bytes(parse_hex(entry["digest"]), number)
        else:
            digest = sha256(salt + head + content.encode())
        leaf = sha256(b"\x00" + number.to_bytes(8, "big") + digest)
        path = [hash_bytes(parse_hex(step), number) for step in entry["path"]]
        if not 0 <= position < self.size or root_from_path(position, self.size, leaf, path) != self.root:
            raise ProofError(f"entry {number} is not in the signed tree")
        return at, type_, None if content is None else json.loads(content)

    def add_expiry(self, entry):
        """Check an entry of the platform that records the end of a retention, and keep what it says."""
        try:
            at, type_, content = self.check_place(entry, PLATFORM)
        except ProofError as error:
            raise ProofError("the record of the end of a retention is not in the signed tree") from error
        if type_ != "journal.expired" or content is None:
            raise ProofError("what should record the end of a retention is another entry")
        event = content["event"]
        expired, before, ranges = event["type"], parse_time(event["before"]), event["ranges"]
        if "note" in event:
            text = ",".join(f"{first}-{last}" for first, last in ranges)
            leaves = base64.b64encode(sha256(text.encode())).decode()
            kind, *lines, kept, said, signed = verify_note(event["note"], self.name, self.key)
            if (kind, lines, said) != (
                f"{self.origin}/expired",
                [expired, f"before {before.isoformat()}"],
                f"leaves {leaves}",
            ):
                raise ProofError("the end of a retention is not what was signed")
            days, at = int(kept.split()[1]), parse_time(signed[len("signed ") :])
        elif entry["position"] < self.first_format:  # the version before did not sign it apart
            days = (at - before).days
        else:
            raise ProofError("the end of a retention is not signed")
        if days < 1 or at - before < timedelta(days=days):
            raise ProofError("a retention was ended before its time")
        self.expiries[entry["id"]] = expired, before, ranges, days

    def covering_expiry(self, entry, at, type_):
        """Return the bound in time and the days of the signed expiry of an entry without content."""
        if entry.get("expiry") not in self.expiries:
            raise ProofError(f"entry {entry['number']} has no content, and no signed end of its retention")
        expired, before, ranges, days = self.expiries[entry["expiry"]]
        leaf = entry["position"] + 1
        if expired != type_ or at >= before or not any(first <= leaf <= last for first, last in ranges):
            raise ProofError(f"the content of entry {entry['number']} is not of those whose retention ended")
        return before, days

    def check_witness(self, text):
        """Check that a witness (its key) co-signed a tree with which this one begins; return a line of text for it."""
        name, key = parse_key(text, 4)
        items = [item for item in self.proof.get("witnesses", []) if item["key"] == text]
        if not items:
            raise ProofError(f"there is no co-signature of the witness {name}")
        note, path = items[0]["checkpoint"], [parse_hex(step) for step in items[0]["consistency"]]
        origin, size, root, *_ = verify_note(note, self.name, self.key)
        size, root = int(size), base64.b64decode(root, validate=True)
        at = verify_cosignature(note, name, key)
        goes_on = size >= 1 and is_consistent(size, self.size, root, self.root, path)
        if origin != self.origin or not goes_on:
            raise ProofError(f"the tree that the witness {name} co-signed is another one")
        return f"co-signed by {clean(name)} at {at:%Y-%m-%dT%H:%M:%S}Z: the tree of {size}"


def options(arguments, name):
    """Return the values that are given for an option."""
    return [value for option, value in zip(arguments, arguments[1:]) if option == name]  # noqa: B905, RUF007 - older Pythons


def parse_key(text, kind):
    """Return the name and the bytes of a key of a type: base64 (no name), or name+id+key (C2SP signed-note)."""
    parts = re.fullmatch(r"([^+\s]+)\+[0-9a-f]{8}\+([A-Za-z0-9+/=]+)", text)
    raw = base64.b64decode(parts.group(2) if parts else text, validate=True)
    if (parts and raw[:1] != bytes([kind])) or len(raw) != (33 if parts else 32):
        raise ProofError(f"this is not a key of the kind that is needed: {text}")
    return (parts.group(1), raw[1:]) if parts else ("", raw)


def parse_uuid(text):
    """Return the UUID of a text in its one usual form."""
    if not re.fullmatch(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text):
        raise ProofError("an identifier is malformed")
    return UUID(text)


def parse_hex(text):
    """Return the bytes of lower-case hexadecimal digits."""
    if not re.fullmatch(r"(?:[0-9a-f]{2})*", text):
        raise ProofError("a hash is malformed")
    return bytes.fromhex(text)


def sha256(data):
    """Return SHA-256 of bytes."""
    return hashlib.sha256(data).digest()


def hash_bytes(data, number):
    """Return `data` when it has the length of a hash. Raises: ProofError otherwise."""
    if len(data) != 32:
        raise ProofError(f"entry {number} is malformed")
    return data


def parse_time(text):
    """Return the moment of an ISO 8601 text with a zone, in UTC."""
    parts = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)", text, re.ASCII)
    if not parts:
        raise ProofError("a time is malformed")
    zone = "+00:00" if parts.group(3) == "Z" else parts.group(3)
    moment = datetime.fromisoformat(f"{parts.group(1)}.{(parts.group(2) or '').ljust(6, '0')}{zone}")
    return moment.astimezone(timezone.utc)  # noqa: UP017 - also for older Pythons


def clean(text):
    """Return a text of the file as it may be printed: nothing in it steers the terminal."""
    return "".join(character if character.isprintable() else "?" for character in str(text))


def root_from_path(node, size, value, path):
    """Return the root that follows from a leaf and its path (RFC 9162, section 2.1.3.2), or None."""
    last = size - 1
    for sibling in path:
        if last <= 0:
            return None
        if node & 1 or node == last:
            value = hashlib.sha256(b"\x01" + sibling + value).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = hashlib.sha256(b"\x01" + value + sibling).digest()
        node, last = node >> 1, last >> 1
    return None if last else value


def is_consistent(old, new, old_root, new_root, path):
    """Return whether the path shows that the old tree is the beginning of the new one (RFC 9162, section 2.1.4.2)."""
    if old == new:
        return old_root == new_root and not path
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    hashes = path if node else [old_root, *path]  # 0: the old tree is one complete subtree
    if not hashes or old > new:
        return False
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if not last:
            return False
        if node & 1 or node == last:
            first, second = sha256(b"\x01" + sibling + first), sha256(b"\x01" + sibling + second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = sha256(b"\x01" + second + sibling)
        node, last = node >> 1, last >> 1
    return not last and first == old_root and second == new_root


def verify_note(note, name, key):
    """Return the lines of a signed note. Raises: ProofError unless `key` signed them (others may have too)."""
    text, signatures = signatures_of(note, name, key, b"\x01")
    if not any(is_signed(key, text.encode(), signature) for signature in signatures):
        raise ProofError("a signature is invalid")
    return text[:-1].split("\n")


def verify_cosignature(note, name, key):
    """Return the time of a witness's co-signature on a checkpoint (C2SP tlog-cosignature). Raises: ProofError."""
    text, signatures = signatures_of(note, name, key, b"\x04")
    for signature in signatures:
        time = int.from_bytes(signature[:8], "big")
        if is_signed(key, f"cosignature/v1\ntime {time}\n{text}".encode(), signature[8:]):
            return EPOCH + timedelta(seconds=time - 946684800)
    raise ProofError(f"the co-signature of the witness {name} is invalid")


def signatures_of(note, name, key, kind):
    """Return the text of a note, and the signatures on it that name a key of a type."""
    text, _, tail = note.rpartition("\n\n")
    key_id = sha256(name.encode() + b"\n" + kind + key)[:4]
    lines = [line[2:].rpartition(" ") for line in tail.split("\n") if line.startswith("\u2014 ")]
    found = [base64.b64decode(signature, validate=True) for signer, _, signature in lines if signer == name]
    return text + "\n", [raw[4:] for raw in found if raw[:4] == key_id]


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
