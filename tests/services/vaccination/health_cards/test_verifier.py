"""Verification of cards, by the program and by the script of the page: each wrong card has its reason."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.vaccination.health_cards.model import Result, TrustedIssuer
from esante.services.vaccination.health_cards.trust import DirectoryError, by_address, directory_json, read_directory
from esante.services.vaccination.health_cards.verifier import verify
from tests.support.health_cards import ISS, NOW, SampleIssuer, run_node, sample_bundle

ISSUER = SampleIssuer()
CASES = ISSUER.cases()
TRUSTED = by_address([ISSUER.trusted])


@pytest.mark.parametrize("name", CASES)
def test_card_has_the_result_that_it_must_have(name):
    text, expected = CASES[name]
    (found,) = verify(text, TRUSTED, NOW)
    assert found.result is expected


def test_content_is_given_only_where_the_signature_is_right():
    wrong = {Result.WRONG_SIGNATURE, Result.UNKNOWN_ISSUER, Result.UNKNOWN_KEY, Result.DAMAGED, Result.NOT_A_CARD}
    for text, expected in CASES.values():
        (found,) = verify(text, TRUSTED, NOW)
        assert (found.bundle is None) == (expected in wrong | {Result.TOO_LARGE})
    (valid,) = verify(CASES["valid card"][0], TRUSTED, NOW)
    assert (valid.issuer, valid.issued_at, valid.bundle) == ("Test issuer", NOW - 86_400, sample_bundle())


def test_file_of_several_cards_has_a_result_for_each_and_one_of_too_many_has_none():
    good, revoked = CASES["valid card"][0], CASES["revoked"][0]
    text = orjson.dumps({"verifiableCredential": [good, revoked]}).decode()
    assert [one.result for one in verify(text, TRUSTED, NOW)] == [Result.VALID, Result.REVOKED]
    many = orjson.dumps({"verifiableCredential": [good] * 21}).decode()
    assert [one.result for one in verify(many, TRUSTED, NOW)] == [Result.TOO_LARGE]


def test_script_of_the_page_finds_the_same_results():
    given = {
        "cards": {name: text for name, (text, _) in CASES.items()},
        "directory": directory_json([ISSUER.trusted]),
        "now": NOW,
    }
    found = run_node("verify_cards.mjs", given)
    assert found == {name: [expected.value] for name, (_, expected) in CASES.items()}


def test_example_of_the_specification_is_valid_and_the_other_has_an_unknown_key(shared_data: Path):
    folder = shared_data / "smart-health-cards"
    jwks = orjson.loads((folder / "issuer-jwks-public.json").read_bytes())
    iss = "https://spec.smarthealth.cards/examples/issuer"
    directory = {"issuerInfo": [{"issuer": {"iss": iss, "name": "Example"}, **jwks}]}
    trusted = by_address(read_directory(orjson.dumps(directory)))
    results = {}
    for number in ("00", "01"):
        for file in folder.glob(f"example-{number}-[def]-*"):
            results.setdefault(number, set()).update(one.result for one in verify(file.read_text(), trusted, NOW))
    assert results == {"00": {Result.VALID}, "01": {Result.UNKNOWN_KEY}}


@given(st.text(max_size=300))
def test_any_text_has_a_result(text):
    assert verify(text, TRUSTED, NOW)[0].result is not Result.VALID


def test_directory_survives_its_own_format():
    assert read_directory(orjson.dumps(directory_json([ISSUER.trusted]))) == [ISSUER.trusted]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda key: key | {"d": "AAAA"}, "private key"),
        (lambda key: key | {"kid": "another"}, "thumbprint"),
        (lambda key: key | {"x": "AAAA"}, r"issuerInfo\[0\].keys\[0\]"),
        (lambda key: key | {"kty": "RSA"}, r"issuerInfo\[0\].keys\[0\]"),
    ],
)
def test_directory_with_a_wrong_key_is_refused_with_its_place(change, words):
    directory = directory_json([TrustedIssuer(iss=ISS, name="x", keys=ISSUER.trusted.keys)])
    directory["issuerInfo"][0]["keys"][0] = change(directory["issuerInfo"][0]["keys"][0])
    with pytest.raises(DirectoryError, match=words):
        read_directory(orjson.dumps(directory))


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"issuerInfo": [1]}', b'{"issuerInfo": [{"issuer": {}}]}'])
def test_file_that_is_no_directory_is_refused(content):
    with pytest.raises(DirectoryError):
        read_directory(content)
