"""The commands of signed cards, on a platform of their own."""

import pytest
from click.testing import CliRunner

from esante.cli import main
from esante.services.vaccination.health_cards.codec import card_file, sign
from esante.services.vaccination.health_cards.keys import SigningKeys
from tests.support.health_cards import sample_claims


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The data folder of a platform."""
    return tmp_path_factory.mktemp("health-cards")


def run(data, *arguments):
    return CliRunner().invoke(main, ["vaccination", *map(str, arguments), "--data", str(data)])


def signed(data, **changes) -> bytes:
    key = SigningKeys(data / "keys" / "health-cards.pem").current()
    claims = sample_claims(iss="http://127.0.0.1:8000/health-cards", nbf=1_700_000_000, **changes)
    return card_file(sign(claims, key))


def test_keys_are_rotated_listed_and_cards_verified(data, tmp_path):
    before = run(data, "keys", "list").stdout.split()[0]
    file = tmp_path / "one.smart-health-card"
    file.write_bytes(signed(data))
    done = run(data, "verify", file)
    assert (done.exit_code, done.stdout.split()[0]) == (0, "valid")
    rotated = run(data, "keys", "rotate").stdout
    listed = run(data, "keys", "list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == [before, rotated.split()[-1]]
    assert "retired" in listed[0] and "signs" in listed[1]
    assert "PRIVATE" not in rotated + "".join(listed)
    assert run(data, "verify", file).exit_code == 0
    assert run(data, "keys", "rotate", "--compromised").exit_code == 0
    assert rotated.split()[-1] not in run(data, "keys", "list").stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"hello", "not-a-card"), (b"shc:/1", "damaged"), (b"\xff\xfe", "Error: "), (b"A" * 600_000, "too-large")],
)
def test_file_that_is_no_valid_card_has_a_reason_and_status_1(data, tmp_path, content, words):
    file = tmp_path / "file"
    file.write_bytes(content)
    done = run(data, "verify", file)
    assert done.exit_code == 1 and words in done.output and "Traceback" not in done.output


def test_broken_directory_of_issuers_is_named(data, tmp_path, monkeypatch):
    monkeypatch.setenv("ESANTE_HEALTH_CARD_ISSUERS", str(tmp_path / "missing.json"))
    file = tmp_path / "file"
    file.write_bytes(b"hello")
    done = run(data, "verify", file)
    assert done.exit_code == 1 and "missing.json" in done.output
