"""Receipts as files: what they prove, and every way in which one that proves nothing is found."""

import base64
import hashlib
import json
import subprocess

import pytest
from click.testing import CliRunner
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from esante.core.journal import NoteVerifier
from esante.services.healthnet.messages.cli import receipt as receipt_commands
from esante.services.healthnet.messages.head_stamps import HeadStamps
from esante.services.healthnet.messages.receipt import NotProved, parse_receipt, verify_file
from tests.support.tsa import TimeStampAuthority


@pytest.fixture
async def proved(exchange):
    """The file of a receipt with its proof, that of another message, and the key of the platform."""
    files = []
    for _ in range(3):
        message_id, sealed, _ = await exchange.send()
        files.append((message_id, sealed))
    await exchange.journal.sealer.seal_all()
    return [
        (message_id, sealed, (await exchange.messages.receipts([exchange.laboratory.site.key], message_id))[0])
        for message_id, sealed in files
    ]


def verified(exchange, content, roots=()):
    verifier = exchange.journal.signer.verifier
    return verify_file(content, verifier, verifier.name, roots)


async def test_receipt_is_given_at_once_and_its_proof_after_the_seal(exchange):
    message_id, sealed, note = await exchange.send()
    verifier = exchange.journal.signer.verifier
    said = parse_receipt(note, verifier, verifier.name)
    assert (said.message_id, said.state, said.digest) == (message_id, "accepted", hashlib.sha256(sealed).hexdigest())
    assert (said.sender, said.recipient) == (exchange.laboratory.site.key, exchange.practice.site.key)
    (file,) = await exchange.messages.receipts([exchange.practice.site.key], message_id)
    assert verified(exchange, file).entry is None
    await exchange.journal.sealer.seal_all()
    (file,) = await exchange.messages.receipts([exchange.practice.site.key], message_id)
    found = verified(exchange, file)
    assert found.receipt == said and found.entry.size == (await exchange.journal.head()).size


async def test_every_state_has_a_receipt_that_is_proved(exchange):
    message_id, _, _ = await exchange.send()
    await exchange.acknowledge(message_id, "delivered")
    await exchange.acknowledge(message_id, "refused", "unknown-patient")
    await exchange.journal.sealer.seal_all()
    files = await exchange.messages.receipts([exchange.laboratory.site.key], message_id)
    found = [verified(exchange, file) for file in files]
    assert [(one.receipt.state, one.receipt.reason) for one in found] == [
        ("accepted", ""),
        ("delivered", ""),
        ("refused", "unknown-patient"),
    ]
    assert all(one.entry for one in found)


async def test_any_changed_byte_of_a_receipt_makes_it_prove_nothing(exchange, proved):
    _, _, file = proved[0]
    original = json.loads(file)
    expected = verified(exchange, file)

    @given(st.data())
    def change(data):
        place = data.draw(st.integers(0, len(file) - 1))
        changed = file[:place] + bytes([data.draw(st.integers(0, 255))]) + file[place + 1 :]
        try:
            same = json.loads(changed) == original
        except ValueError:
            same = False
        try:
            found = verified(exchange, changed)
        except NotProved:
            return
        assert same or found == expected

    change()


async def test_proof_of_another_entry_is_refused(exchange, proved):
    (_, _, one), (_, _, other), _ = proved
    mixed = json.loads(one) | {"entry": json.loads(other)["entry"]}
    with pytest.raises(NotProved, match="something else"):
        verified(exchange, json.dumps(mixed).encode())


async def test_receipt_that_another_key_signed_is_refused(exchange, proved, tmp_path):
    from esante.core.journal.signed_note import Signer

    _, _, file = proved[0]
    own = Signer.open(tmp_path / "key.pem", exchange.journal.signer.name)
    parsed = json.loads(file)
    text = parsed["receipt"].rpartition("\n\n")[0]
    forged = json.dumps(parsed | {"receipt": own.sign(*text.split("\n"))}).encode()
    with pytest.raises(NotProved, match="another key"):
        verified(exchange, forged)
    with pytest.raises(NotProved, match="another key"):
        verify_file(file, NoteVerifier(own.name, own.public), own.name)


async def test_text_that_the_platform_signed_for_something_else_is_no_receipt(exchange, proved):
    signer, head = exchange.journal.signer, await exchange.journal.head()
    parsed = json.loads(proved[0][2])
    lines = parsed["receipt"].split("\n\n")[0].split("\n")
    for note in (head.note, signer.sign("esante/journal/person", *lines[1:]), signer.sign(*lines[:-1])):
        with pytest.raises(NotProved):
            verified(exchange, json.dumps(parsed | {"receipt": note}).encode())


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[" * 50_000, b"\xff\xfe", b"null", b'{"format": "x", "receipt": ""}']
)
async def test_what_is_no_receipt_is_refused(exchange, content):
    with pytest.raises(NotProved):
        verified(exchange, content)


async def test_command_says_in_plain_words_what_a_receipt_proves(exchange, proved, tmp_path):
    (message_id, sealed, file), (other_id, other, _), _ = proved
    (tmp_path / "receipt.json").write_bytes(file)
    (tmp_path / "sealed").write_bytes(sealed)
    (tmp_path / "other").write_bytes(other)
    (tmp_path / "key").write_text(str(exchange.journal.signer.verifier))

    def run(*arguments):
        given_ = ["verify", str(tmp_path / "receipt.json"), *map(str, arguments)]
        return CliRunner().invoke(receipt_commands, given_)

    key = ("--key", tmp_path / "key")
    done = run(*key, "--message", message_id, "--content", tmp_path / "sealed")
    assert done.exit_code == 0, done.output
    assert f"Message {message_id} from {exchange.laboratory.site.key}" in done.output
    assert "Journal: its entry is in the tree of" in done.output and "Time-stamp: not checked" in done.output
    for about in (("--message", other_id), ("--content", tmp_path / "other")):
        done = run(*key, *about)
        assert (done.exit_code, "proves nothing: the receipt is about" in done.output) == (1, True), done.output
    done = run("--key", "nonsense")
    assert (done.exit_code, "Traceback" in done.output) == (2, False)


async def test_head_is_stamped_beside_the_requests_and_the_stamp_is_checked(exchange, tmp_path):
    async with TimeStampAuthority(tmp_path / "tsa") as authority:
        stamps = HeadStamps(exchange.db, exchange.journal, authority.url)
        message_id, _, _ = await exchange.send()
        await exchange.journal.sealer.seal_all()
        assert await stamps.advance()
        assert not await stamps.advance()
        root = authority.certificate
    (file,) = await exchange.messages.receipts([exchange.laboratory.site.key], message_id)
    found = verified(exchange, file, [root])
    assert found.stamped_at and abs((found.stamped_at - found.receipt.at).total_seconds()) < 60
    openssl(tmp_path, json.loads(file), root)
    changed = json.loads(file) | {"stamp": base64.b64encode(b"0" * 99).decode()}
    with pytest.raises(NotProved, match="time-stamp"):
        verified(exchange, json.dumps(changed).encode(), [root])
    foreign = x509.load_pem_x509_certificate((tmp_path / "tsa" / "foreign.pem").read_bytes())
    with pytest.raises(NotProved, match="time-stamp"):
        verified(exchange, file, [foreign])


def openssl(folder, file, root):
    """Let OpenSSL check the stamp too."""
    from tests.support.healthnet_world import pem

    (folder / "head").write_text(file["entry"]["checkpoint"], "utf-8")
    (folder / "stamp.tsr").write_bytes(base64.b64decode(file["stamp"]))
    (folder / "root.pem").write_bytes(pem(root))
    done = subprocess.run(
        ["openssl", "ts", "-verify", "-data", "head", "-in", "stamp.tsr", "-CAfile", "root.pem"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Verification: OK" in done.stdout, done.stderr


@pytest.mark.parametrize("fault", ["gone", "error", "garbage", "other", "huge"])
async def test_authority_that_fails_stops_nothing(exchange, tmp_path, fault):
    async with TimeStampAuthority(tmp_path / "tsa", fault=fault) as authority:
        stamps = HeadStamps(exchange.db, exchange.journal, authority.url)
        message_id, _, _ = await exchange.send()
        await exchange.journal.sealer.seal_all()
        assert not await stamps.advance()
    (file,) = await exchange.messages.receipts([exchange.laboratory.site.key], message_id)
    assert json.loads(file)["stamp"] == "" and verified(exchange, file).entry
    async with TimeStampAuthority(tmp_path / "later") as authority:
        assert await HeadStamps(exchange.db, exchange.journal, authority.url).advance()
