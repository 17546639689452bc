"""Signed cards for tests, made without the issuer: valid ones, and each kind of wrong one."""

import json
import os
import shutil
import subprocess
import zlib
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from esante.services.vaccination.health_cards.codec import sign, to_digits
from esante.services.vaccination.health_cards.keys import new_key, public_half
from esante.services.vaccination.health_cards.model import CARD_TYPE, Result, TrustedIssuer, TrustedKey

ROOT = Path(__file__).parents[2]
NOW = 1_800_000_000.0
ISS = "https://issuer.test/cards"
RETIRED = NOW - 1_000_000
"""When the second key of `sample_issuer` was retired."""


def sample_claims(**changes) -> dict:
    """The claims of a card with one dose, issued a day before `NOW`; `rid` and `bundle` go where they belong."""
    rid, bundle = changes.pop("rid", None), changes.pop("bundle", sample_bundle())
    credential = {"type": [CARD_TYPE], "credentialSubject": {"fhirVersion": "4.0.1", "fhirBundle": bundle}}
    if rid:
        credential["rid"] = rid
    return {"iss": ISS, "nbf": NOW - 86_400, "vc": credential} | changes


def sample_bundle() -> dict:
    patient = {"resourceType": "Patient", "name": [{"family": "Weber", "given": ["Anna"]}], "birthDate": "1980-05-17"}
    dose = {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "207"}]},
        "patient": {"reference": "resource:0"},
        "occurrenceDateTime": "2021-01-01",
    }
    entries = [{"fullUrl": f"resource:{n}", "resource": one} for n, one in enumerate((patient, dose))]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


class SampleIssuer:
    """An issuer with a key that signs, and one that was retired at `RETIRED`."""

    def __init__(self) -> None:
        self.key, self.old = new_key(), new_key()

    @property
    def trusted(self) -> TrustedIssuer:
        return TrustedIssuer(
            iss=ISS,
            name="Test issuer",
            keys={
                str(self.key.kid): TrustedKey(
                    jwk=public_half(self.key), rids=frozenset({"gone", f"before.{int(NOW) - 1000}"})
                ),
                str(self.old.kid): TrustedKey(jwk=public_half(self.old), signed_until=RETIRED),
            },
        )

    def cases(self) -> dict[str, tuple[str, Result]]:
        """What a person may bring, each with the result that it must have."""
        good = sign(sample_claims(), self.key)
        head, body, signature = good.split(".")
        _, other, _ = sign(sample_claims(nbf=NOW - 5), self.key).split(".")
        flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
        return {
            "valid card": (good, Result.VALID),
            "valid digits": (f"shc:/{to_digits(good)}", Result.VALID),
            "valid digits in capitals": (f" SHC:/{to_digits(good)}\n", Result.VALID),
            "valid file": (json.dumps({"verifiableCredential": [good]}), Result.VALID),
            "valid until tomorrow": (sign(sample_claims(exp=NOW + 86_400), self.key), Result.VALID),
            "old card of a retired key": (sign(sample_claims(nbf=RETIRED - 9_000), self.old), Result.VALID),
            "signed after the key was retired": (sign(sample_claims(), self.old), Result.KEY_EXPIRED),
            "issued tomorrow": (sign(sample_claims(nbf=NOW + 86_400), self.key), Result.NOT_YET_VALID),
            "expired": (sign(sample_claims(exp=NOW - 3_600), self.key), Result.EXPIRED),
            "revoked": (sign(sample_claims(rid="gone"), self.key), Result.REVOKED),
            "revoked before a moment": (sign(sample_claims(rid="before"), self.key), Result.REVOKED),
            "issued after that moment": (sign(sample_claims(rid="before", nbf=NOW - 10), self.key), Result.VALID),
            "another identifier": (sign(sample_claims(rid="gon"), self.key), Result.VALID),
            "payload of another card": (f"{head}.{other}.{signature}", Result.WRONG_SIGNATURE),
            "changed signature": (f"{head}.{body}.{flipped}", Result.WRONG_SIGNATURE),
            "short signature": (f"{head}.{body}.AAAA", Result.WRONG_SIGNATURE),
            "unknown issuer": (sign(sample_claims(iss="https://other.test"), self.key), Result.UNKNOWN_ISSUER),
            "issuer with a slash": (sign(sample_claims(iss=f"{ISS}/"), self.key), Result.UNKNOWN_ISSUER),
            "unknown key": (sign(sample_claims(), new_key()), Result.UNKNOWN_KEY),
            "key of another under a known name": (self._under_known_name(), Result.WRONG_SIGNATURE),
            "no signature": (self._with_header(alg="none"), Result.NOT_A_CARD),
            "symmetric signature": (self._with_header(alg="HS256"), Result.NOT_A_CARD),
            "not deflated": (self._with_header(zip=None), Result.NOT_A_CARD),
            "other claims": (sign({"sub": "somebody"}, self.key), Result.NOT_A_CARD),
            "other type": (sign(sample_claims(vc={"type": ["x"]}), self.key), Result.NOT_A_CARD),
            "time as text": (sign(sample_claims(nbf="now"), self.key), Result.NOT_A_CARD),
            "web address": ("https://example.org/vaccination", Result.NOT_A_CARD),
            "nothing": ("", Result.NOT_A_CARD),
            "other file": ('{"resourceType": "Bundle"}', Result.NOT_A_CARD),
            "file of no cards": ('{"verifiableCredential": []}', Result.NOT_A_CARD),
            "file of numbers": ('{"verifiableCredential": [1]}', Result.DAMAGED),
            "broken file": ('{"verifiableCredential": [', Result.DAMAGED),
            "digits cut off": (f"shc:/{to_digits(good)[:-1]}", Result.DAMAGED),
            "digits of no card": ("shc:/0000", Result.DAMAGED),
            "one of several codes": (f"shc:/1/2/{to_digits(good)}", Result.DAMAGED),
            "payload cut off": (f"{head}.{body[:60]}.{signature}", Result.DAMAGED),
            "payload that is no text": (self._signed_bytes(b"\xff\xfe"), Result.DAMAGED),
            "text too long": ("A" * 600_000, Result.TOO_LARGE),
            "bomb": (self._signed_bytes(b" " * 5_000_000), Result.TOO_LARGE),
        }

    def _under_known_name(self) -> str:
        other = new_key()
        return sign(sample_claims(), ECKey.import_key(other.as_pem(private=True), {"kid": self.key.kid}))

    def _with_header(self, **changes) -> str:
        header = {"zip": "DEF", "alg": "ES256", "kid": self.key.kid} | changes
        kept = {name: value for name, value in header.items() if value is not None}
        _, body, signature = sign(sample_claims(), self.key).split(".")
        return f"{base64url(json.dumps(kept).encode())}.{body}.{signature}"

    def _signed_bytes(self, payload: bytes) -> str:
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        head, _, signature = sign(sample_claims(), self.key).split(".")
        return f"{head}.{base64url(compressor.compress(payload) + compressor.flush())}.{signature}"


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def run_node(script: str, given: object, *, needs: str = "") -> object:
    """Run a module of `tests/support` in Node with `given` as JSON, and return what it prints as JSON."""
    node = shutil.which("node")
    if node is None or (needs and not (ROOT / "node_modules" / needs).is_dir()):
        pytest.skip(f"Node.js {needs and f'with {needs} '}is not installed: make install")
    command = [node, str(ROOT / "tests" / "support" / script)]
    done = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, timeout=60, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
