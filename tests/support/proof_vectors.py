"""Vectors of proofs: files that are to be verified, and every kind of forgery, with the verdict on each.

    python -m tests.support.proof_vectors

writes them to `tests/core/journal/vectors`; the keys are fixed, so the same files come out. Both the Python verifier and
the one of the browser run over them. Each file holds `proof` (or the `text` of a file that is none), what the verifier
is given (`key`, `witnesses`), and what it must find: the `code` of the browser's verdict ("verified", or why not), and
the `entry` that is wrong.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from esante.core.journal import Cosigner, merkle
from esante.core.journal.model import Expired, content_hash_of, digest_of
from esante.core.journal.retention import expiry_lines
from esante.core.journal.sealer import leaf_data
from esante.core.journal.signed_note import CheckpointText, Signer
from esante.core.storage import NIL

FOLDER = Path(__file__).parents[1] / "core" / "journal" / "vectors"
ORIGIN = "esante/journal"
SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(b"1" * 32), ORIGIN)
STRANGER = Signer(Ed25519PrivateKey.from_private_bytes(b"2" * 32), ORIGIN)
WITNESS = Cosigner(Ed25519PrivateKey.from_private_bytes(b"3" * 32), "witness.example/w1")
OTHER_WITNESS = Cosigner(Ed25519PrivateKey.from_private_bytes(b"4" * 32), "witness.example/w2")
PERSON, OTHER = UUID(int=0x01A0 << 112), UUID(int=0x01A1 << 112)
AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
OLD = datetime(2014, 3, 1, 8, 30, 0, 250_000, tzinfo=UTC)
DAYS = 3652
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class VectorLog:
    """A small journal in memory, of which proofs are made."""

    first_format: int = 0
    leaves: list[dict[str, Any]] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)

    def append(
        self, person: UUID, event: Any, *, type_: str = "test.happened", at: datetime = AT, name: str = "Dr Test"
    ) -> int:
        """Append an entry; return its leaf (seq, from 1)."""
        seq = len(self.leaves) + 1
        number = 1 + sum(leaf["person"] == person for leaf in self.leaves)
        at += timedelta(seconds=seq)
        salt, entry_id = hashlib.md5(f"salt {seq}".encode()).digest(), UUID(int=seq << 64 | 7 << 76)
        actor = {"kind": "practitioner", "name": name}
        content = json.dumps(
            {"version": 1, "actor": actor, "origin": "192.0.2.1", "event": event}, separators=(",", ":")
        )
        inner = content_hash_of(salt, content.encode())
        digest = digest_of(entry_id, person, at, type_, inner)
        if seq <= self.first_format:
            micros = (at - _EPOCH) // timedelta(microseconds=1)
            head = entry_id.bytes + person.bytes + micros.to_bytes(8, "big", signed=True) + type_.encode() + b"\0"
            digest = hashlib.sha256(salt + head + content.encode()).digest()
        self.leaves.append(
            {"number": number, "person": person, "id": entry_id, "at": at, "type": type_, "salt": salt, "content": content,
             "digest": digest, "inner": inner, "expiry": None}
        )  # fmt: skip
        self.hashes.append(merkle.leaf_hash(leaf_data(number, digest)))
        return seq

    def expire(
        self, *leaves: int, signed_at: datetime = AT, type_: str = "test.happened", signed: bool = True
    ) -> None:
        """End the retention of the contents of leaves, with the entry that records it."""
        before = OLD + timedelta(days=1)
        event = Expired(type=type_, before=before, count=len(leaves), ranges=[(leaf, leaf) for leaf in leaves])
        record = {"type": type_, "before": before.isoformat().replace("+00:00", "Z"), "count": len(leaves),
                  "ranges": [[leaf, leaf] for leaf in leaves]}  # fmt: skip
        if signed:
            record["note"] = SIGNER.sign(*expiry_lines(ORIGIN, event, signed_at, DAYS))
        seq = self.append(NIL, record, type_="journal.expired", at=AT)
        for leaf in leaves:
            self.leaves[leaf - 1]["expiry"] = self.leaves[seq - 1]["id"]

    def _hashes(self, level: int, first: int, count: int) -> list[bytes]:
        if level == 0:
            return self.hashes[first : first + count]
        frontiers = []
        for place in range(first, first + count):
            frontier = merkle.Frontier()
            for hash_ in self.hashes[place * 16**level : (place + 1) * 16**level]:
                frontier.append(hash_)
            frontiers.append(frontier.root())
        return frontiers

    def root(self, size: int) -> bytes:
        """Return the root of the first leaves."""
        return merkle.subtree_root(0, size, self._hashes)

    def checkpoint(self, size: int = 0) -> str:
        """Return the signed checkpoint of a size (0: of all leaves)."""
        size = size or len(self.leaves)
        lines = CheckpointText(
            ORIGIN, size, self.root(size), AT, self.first_format, 0, hashlib.sha256(b"").digest()
        ).lines()
        return SIGNER.sign(*lines)

    def entry(self, leaf: int) -> dict[str, Any]:
        """Return an entry as a proof has it."""
        found = self.leaves[leaf - 1]
        entry = {"number": found["number"], "position": leaf - 1, "id": str(found["id"]), "at": found["at"].isoformat(),
                 "type": found["type"]}  # fmt: skip
        if found["expiry"] is None:
            entry |= {"salt": found["salt"].hex(), "content": found["content"]}
        elif leaf > self.first_format:
            entry |= {"expiry": str(found["expiry"]), "content_hash": found["inner"].hex()}
        else:
            entry |= {"expiry": str(found["expiry"]), "digest": found["digest"].hex()}
        path = merkle.inclusion_path(leaf - 1, len(self.leaves), self._hashes)
        return entry | {"path": [hash_.hex() for hash_ in path]}

    def cosigned(self, size: int, cosigner: Cosigner = WITNESS) -> dict[str, Any]:
        """Return the co-signature of a witness on the checkpoint of a size, as a proof has it."""
        note = self.checkpoint(size)
        line = cosigner.cosign(note.partition("\n\n")[0] + "\n", 1_780_000_000)
        path = merkle.consistency_path(size, len(self.leaves), self._hashes)
        return {
            "key": str(cosigner.verifier),
            "checkpoint": note + line,
            "consistency": [hash_.hex() for hash_ in path],
        }

    def proof(self, person: UUID = PERSON) -> dict[str, Any]:
        """Return the proof of a person."""
        leaves = [seq for seq, leaf in enumerate(self.leaves, 1) if leaf["person"] == person]
        expiries = {self.leaves[leaf - 1]["expiry"] for leaf in leaves} - {None}
        records = [seq for seq, leaf in enumerate(self.leaves, 1) if leaf["id"] in expiries]
        size = str(len(self.leaves))
        return {
            "format": "esante-journal-proof/2",
            "person": str(person),
            "key": {"name": ORIGIN, "ed25519": base64.b64encode(SIGNER.public).decode()},
            "checkpoint": self.checkpoint(),
            "statement": SIGNER.sign(f"{ORIGIN}/person", str(person), str(len(leaves)), size, AT.isoformat()),
            "witnesses": [],
            "entries": [self.entry(leaf) for leaf in leaves],
            "expiries": [self.entry(leaf) for leaf in records],
        }  # fmt: skip


def _log(first_format: int = 0, **expiry: Any) -> VectorLog:
    """A log in which the person has six entries, the last two of them old and expired (leaves 8 and 10)."""
    log = VectorLog(first_format)
    for number in range(4):
        log.append(PERSON, {"what": f"text {number}"})
        if number % 2:
            log.append(OTHER, {"what": f"other {number}"})
    log.append(NIL, {"what": "platform"})
    log.append(PERSON, {"what": "old"}, at=OLD)
    log.append(OTHER, {"what": "other old"}, at=OLD)
    log.append(PERSON, {"what": "older"}, at=OLD)
    log.expire(8, 10, **expiry)
    for number in range(10):
        log.append(OTHER, {"what": f"later {number}"})
    return log


def _fresh() -> VectorLog:
    log = VectorLog()
    for number in range(6):
        log.append(PERSON, {"what": f"text {number}"})
        log.append(OTHER, {"what": f"other {number}"})
    return log


def _forged(change: Callable[[dict[str, Any]], Any], log: VectorLog | None = None) -> dict[str, Any]:
    """Return the proof of a log with a change."""
    proof = (log or _log()).proof()
    change(proof)
    return proof


def _remove_content(entry: dict[str, Any], proof: dict[str, Any], **more: Any) -> None:
    """Take the content out of an entry as anybody can: with the hashes that follow from it."""
    salt, content = bytes.fromhex(entry.pop("salt")), entry.pop("content").encode()
    entry["content_hash"] = content_hash_of(salt, content).hex()
    at, person = datetime.fromisoformat(entry["at"]), UUID(proof["person"])
    head = UUID(entry["id"]).bytes + person.bytes
    head += (
        ((at - _EPOCH) // timedelta(microseconds=1)).to_bytes(8, "big", signed=True) + entry["type"].encode() + b"\0"
    )
    entry["digest"] = hashlib.sha256(salt + head + content).hexdigest()
    entry.update(more)


def _flip(text: str, place: int) -> str:
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]


def valid() -> dict[str, dict[str, Any]]:
    """Return the vectors that are to be verified: `given` and `found` beside the proof."""
    log, old, fresh = _log(), _log(first_format=9), _fresh()
    escapes = VectorLog()
    escapes.append(
        PERSON, {"what": "\u001b[2J"}, type_="test.\u001b[31mred\u202e", name="\u001b]0;title\u0007 Dr Test\r"
    )
    stranger = STRANGER.sign("another", "text").rpartition("\n\n")[2]
    offset = _fresh().proof()
    offset["entries"][0]["at"] = datetime.fromisoformat(offset["entries"][0]["at"]).astimezone(
        datetime.fromisoformat("2026-01-01T00:00:00+05:00").tzinfo
    ).isoformat()  # fmt: skip
    witnessed = log.proof() | {"witnesses": [log.cosigned(7), log.cosigned(len(log.leaves), OTHER_WITNESS)]}
    before, _, after = fresh.checkpoint().partition("\n\n")
    keys = [str(WITNESS.verifier), str(OTHER_WITNESS.verifier)]
    none = VectorLog()
    none.append(OTHER, {"what": "other"})
    return {
        "fresh": {"proof": fresh.proof(), "entries": 6, "removed": 0},
        "no-entries": {"proof": none.proof(), "entries": 0, "removed": 0},
        "expired": {"proof": log.proof(), "entries": 6, "removed": 2},
        "first-format": {"proof": old.proof(), "entries": 6, "removed": 2},
        "escapes": {"proof": escapes.proof(), "entries": 1, "removed": 0},
        "time-with-offset": {"proof": offset, "entries": 6, "removed": 0},
        "other-signatures": {
            "proof": fresh.proof() | {"checkpoint": f"{before}\n\n{stranger}{after}{stranger}"}, "entries": 6, "removed": 0
        },
        "witnesses": {"proof": witnessed, "witnesses": keys, "entries": 6, "removed": 2, "cosigned": [7, len(log.leaves)]},
        "witness-on-a-power-of-two": {
            "proof": log.proof() | {"witnesses": [log.cosigned(8)]}, "witnesses": keys[:1], "entries": 6, "removed": 2,
            "cosigned": [8],
        },
        "unchecked-witness-is-ignored": {
            "proof": log.proof() | {"witnesses": [{"key": keys[0], "checkpoint": "", "consistency": []}]}, "entries": 6,
            "removed": 2,
        },
    }  # fmt: skip


def altered() -> dict[str, tuple[str, int, dict[str, Any]]]:
    """Return proofs with a wrong entry: the code, the number of the entry, the proof."""

    def entry(number: int, **fields: Any) -> Callable[[dict[str, Any]], Any]:
        return lambda proof: proof["entries"][number - 1].update(fields)

    def removed(number: int, **fields: Any) -> Callable[[dict[str, Any]], Any]:
        return lambda proof: _remove_content(proof["entries"][number - 1], proof, **fields)

    log, old = _log(), _log(first_format=20)
    sample = log.proof()["entries"]
    expiry = sample[4]["expiry"]
    foreign = log.proof(OTHER)["entries"]
    content = sample[2]["content"].replace("text 2", "text 9")
    return {
        "content-changed": ("altered", 3, _forged(entry(3, content=content))),
        "salt-changed": ("altered", 3, _forged(entry(3, salt="00" * 16))),
        "type-changed": ("altered", 3, _forged(entry(3, type="test.other"))),
        "time-changed": ("altered", 3, _forged(entry(3, at="2026-03-02T08:30:04+00:00"))),
        "microseconds-changed": ("altered", 5, _forged(entry(5, at="2014-03-01T08:30:08.250001+00:00"))),
        "id-changed": ("altered", 3, _forged(entry(3, id=sample[3]["id"]))),
        "type-of-expired-changed": ("altered", 5, _forged(entry(5, type="test.other"))),
        "time-of-expired-changed": ("altered", 5, _forged(entry(5, at="2012-01-01T00:00:00+00:00"))),
        "id-of-expired-changed": ("altered", 5, _forged(entry(5, id=sample[0]["id"]))),
        "hash-of-expired-changed": ("altered", 5, _forged(entry(5, content_hash="00" * 32))),
        "digest-of-first-format-changed": ("altered", 5, _forged(entry(5, digest="00" * 32), old)),
        "position-changed": ("altered", 3, _forged(entry(3, position=7))),
        "position-outside": ("altered", 3, _forged(entry(3, position=len(log.leaves)))),
        "position-negative": ("altered", 3, _forged(entry(3, position=-1))),
        "entry-of-another-person": ("altered", 2, _forged(lambda proof: proof["entries"].__setitem__(1, foreign[1]))),
        "entries-exchanged": ("altered", 1, _forged(lambda proof: proof.update(entries=[
            sample[1] | {"number": 1}, sample[0] | {"number": 2}, *sample[2:]]))),
        "path-cut": ("altered", 3, _forged(lambda proof: proof["entries"][2]["path"].pop())),
        "path-emptied": ("altered", 3, _forged(entry(3, path=[]))),
        "path-longer": ("altered", 3, _forged(lambda proof: proof["entries"][2]["path"].append("00" * 32))),
        "path-changed": ("altered", 3, _forged(lambda proof: proof["entries"][2]["path"].__setitem__(0, "00" * 32))),
        "content-removed": ("removed", 3, _forged(removed(3))),
        "content-removed-with-own-expiry": ("removed", 3, _forged(removed(3, expiry=sample[2]["id"]))),
        "content-removed-with-expiry-of-another": ("removed", 3, _forged(removed(3, expiry=expiry))),
        "content-removed-and-rewritten": ("removed", 3, _forged(removed(3, type="forged", at="2001-01-01T00:00:00Z"), old)),
        "content-null": ("removed", 3, _forged(lambda proof: (removed(3)(proof), proof["entries"][2].update(content=None)))),
        "expiry-not-named": ("removed", 5, _forged(entry(5, expiry=None))),
        "expiry-left-out": ("removed", 5, _forged(lambda proof: proof.update(expiries=[]))),
        "expiry-of-another-type": ("removed", 5, _log(type_="test.other").proof()),
        "salt-missing": ("malformed", 3, _forged(lambda proof: proof["entries"][2].pop("salt"))),
        "salt-short": ("malformed", 3, _forged(entry(3, salt="00" * 15))),
        "type-with-zero": ("malformed", 3, _forged(entry(3, type="test.happened\0x"))),
        "content-not-text": ("malformed", 3, _forged(entry(3, content=[]))),
        "position-text": ("malformed", 3, _forged(entry(3, position="5"))),
    }  # fmt: skip


def refused() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return proofs that are wrong as a whole: the code, and what the verifier is given."""
    log, keys = _log(), [str(WITNESS.verifier)]
    proof = log.proof()
    person = str(OTHER)
    statement = SIGNER.sign(f"{ORIGIN}/person", str(PERSON), "6", "20", AT.isoformat())
    fewer = proof["statement"].replace("\n6\n", "\n5\n")
    fork = _log()
    fork.hashes[0] = merkle.leaf_hash(b"another first entry")
    cosigned = log.cosigned(7)
    later = WITNESS.verifier.cosignature_line(1_780_000_999, WITNESS.verifier.verify(cosigned["checkpoint"])[1])
    record = proof["expiries"][0]
    event = json.loads(record["content"])["event"]

    def witnessed(**fields: Any) -> dict[str, Any]:
        return {"proof": proof | {"witnesses": [cosigned | fields]}, "witnesses": keys}

    def with_record(log: VectorLog) -> dict[str, Any]:
        return {"proof": log.proof()}

    changed = record["content"].replace("[[8,8],[10,10]]", "[[1,50]]")
    assert changed != record["content"] and event["ranges"] == [[8, 8], [10, 10]]
    return {
        "first-entry-left-out": ("missing", {"proof": proof | {"entries": proof["entries"][1:]}}),
        "middle-entry-left-out": ("missing", {"proof": proof | {"entries": proof["entries"][:2] + proof["entries"][3:]}}),
        "last-entry-left-out": ("missing", {"proof": proof | {"entries": proof["entries"][:-1]}}),
        "entry-twice": ("missing", {"proof": proof | {"entries": [*proof["entries"], proof["entries"][-1]]}}),
        "count-lowered": ("signature", {"proof": proof | {"entries": proof["entries"][:-1], "statement": fewer}}),
        "person-changed": ("statement", {"proof": proof | {"person": person}}),
        "statement-of-another-person": ("statement", {"proof": proof | {"statement": log.proof(OTHER)["statement"]}}),
        "statement-of-another-tree": ("statement", {"proof": proof | {"statement": statement}}),
        "tree-cut": ("statement", {"proof": proof | {"checkpoint": log.checkpoint(10)}}),
        "root-changed": ("signature", {"proof": proof | {"checkpoint": _flip(proof["checkpoint"], 20)}}),
        "checkpoint-signature-changed": ("signature", {"proof": proof | {"checkpoint": _flip(proof["checkpoint"], -20)}}),
        "statement-signature-changed": ("signature", {"proof": proof | {"statement": _flip(proof["statement"], -20)}}),
        "signature-of-another-key": ("signature", {"proof": proof | {"checkpoint": STRANGER.sign(
            *proof["checkpoint"].partition("\n\n")[0].split("\n"))}}),
        "wrong-key": ("signature", {"proof": proof, "key": str(STRANGER.verifier)}),
        "own-key-in-the-file": ("signature", {"proof": proof, "key": str(STRANGER.verifier)}),
        "expiry-ranges-changed": ("expiry", {"proof": proof | {"expiries": [record | {"content": changed}]}}),
        "expiry-is-another-entry": ("expiry", {"proof": proof | {"expiries": [proof["entries"][0] | {"id": record["id"]}]}}),
        "expiry-not-signed": ("expiry", with_record(_log(signed=False))),
        "expiry-before-its-time": ("expiry", with_record(_log(signed_at=OLD + timedelta(days=DAYS)))),
        "witness-missing": ("missing-witness", {"proof": proof, "witnesses": keys}),
        "witness-of-another-key": ("missing-witness", {
            "proof": proof | {"witnesses": [log.cosigned(7, OTHER_WITNESS)]}, "witnesses": keys}),
        "witness-under-the-name-of-another": ("witness", witnessed(
            checkpoint=log.cosigned(7, Cosigner(Ed25519PrivateKey.from_private_bytes(b"5" * 32), "witness.example/w1"))["checkpoint"])),
        "witness-signature-changed": ("witness", witnessed(checkpoint=_flip(cosigned["checkpoint"], -20))),
        "witness-time-changed": ("witness", witnessed(checkpoint=log.checkpoint(7) + later)),
        "witness-of-a-fork": ("witness", witnessed(checkpoint=fork.cosigned(7)["checkpoint"])),
        "witness-of-a-fork-with-its-proof": ("witness", {
            "proof": proof | {"witnesses": [fork.cosigned(7)]}, "witnesses": keys}),
        "witness-of-another-size": ("witness", witnessed(checkpoint=log.cosigned(6)["checkpoint"])),
        "witness-proof-cut": ("witness", witnessed(consistency=cosigned["consistency"][:-1])),
        "witness-proof-longer": ("witness", witnessed(consistency=[*cosigned["consistency"], "00" * 32])),
        "witness-proof-empty": ("witness", witnessed(consistency=[])),
        "not-json": ("unreadable", {"text": "{"}),
        "empty": ("unreadable", {"text": ""}),
        "a-list": ("unreadable", {"text": "[]"}),
        "cut-off": ("unreadable", {"text": json.dumps(proof)[:-40]}),
        "no-entries": ("unreadable", {"proof": {name: value for name, value in proof.items() if name != "entries"}}),
        "time-without-zone": ("unreadable", {"proof": _forged(
            lambda proof: proof["entries"][0].update(at="2026-03-01T08:30:01"))}),
        "hash-in-capitals": ("unreadable", {"proof": _forged(
            lambda proof: proof["entries"][0].update(salt=proof["entries"][0]["salt"].upper()))}),
        "person-malformed": ("unreadable", {"proof": proof | {"person": "somebody"}}),
    }  # fmt: skip


def vectors() -> dict[str, dict[str, Any]]:
    """Return every vector by its name."""
    key = str(SIGNER.verifier)
    found = {f"valid-{name}": {"key": key, "code": "verified"} | vector for name, vector in valid().items()}
    for name, (code, entry, proof) in altered().items():
        found[f"entry-{name}"] = {"key": key, "code": code, "entry": entry, "proof": proof}
    for name, (code, vector) in refused().items():
        found[f"refused-{name}"] = {"key": key, "code": code} | vector
    return found


def assert_verdict(vector: dict[str, Any], found: dict[str, Any], name: str) -> None:
    """Assert that the verifier of the browser found what a vector is to give."""
    if vector["code"] == "missing-witness":
        assert (found["code"], len(found["missing"])) == ("verified", 1), name
        return
    assert found["code"] == vector["code"], name
    if vector["code"] == "verified":
        assert (found["entries"], found["removed"]) == (vector["entries"], vector["removed"]), name
        assert [witness["size"] for witness in found["witnesses"]] == vector.get("cosigned", []), name
        assert found["missing"] == [], name
    elif "entry" in vector:
        assert found["number"] == vector["entry"], name


def main() -> None:
    """Write the vectors."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for name, vector in vectors().items():
        (FOLDER / f"{name}.json").write_text(f"{json.dumps(vector, indent=1, ensure_ascii=True)}\n", encoding="ascii")


if __name__ == "__main__":
    main()
