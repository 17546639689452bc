"""Heads are submitted to witnesses whatever these do, and their co-signatures are kept."""

import asyncio
from contextlib import asynccontextmanager

import httpx
import pytest

from esante.core.journal import CosignatureVerifier, Cosigner
from esante.core.journal.witnesses import submitter
from esante.core.storage import uuid7
from tests.conftest import create_database, open_journal
from tests.support.journal_entries import append_texts
from tests.support.witness_process import WitnessProcess
from tests.support.witnessed_log import WitnessedLog


async def grow(journal, *texts):
    """Append and seal entries."""
    await append_texts(journal, uuid7(), *texts)
    await journal.sealer.seal_all()


async def kept(journal):
    """The sizes of the heads on which co-signatures are kept."""
    return [row["size"] for row in await journal.db.fetch("SELECT size FROM journal_cosignature ORDER BY size")]


async def witness_state(journal):
    """How the one witness is."""
    (state,) = await journal.witnesses.states()
    return state


async def take_turn_now(journal):
    """Let the next attempt be due, as if the pause after a failure were over."""
    await journal.db.fetchval("UPDATE journal_witness SET turn_at = now()")


def answering(status, text="", **headers):
    """A client to which a witness answers so, whatever is asked."""
    return httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(status, text=text, headers=headers))
    )


async def test_each_new_head_is_cosigned_with_the_proof_that_it_goes_on(cosigned_journal):
    journal = cosigned_journal
    assert await journal.witness.cosign()
    await grow(journal, *(str(number) for number in range(30)))
    assert await journal.witness.cosign()
    assert await kept(journal) == [40, 70]
    assert journal.witness.requests[0].startswith(b"old 0\n\n")
    assert journal.witness.requests[1].startswith(b"old 40\n")
    state = await witness_state(journal)
    assert (state.size, state.behind, state.failures, state.error) == (70, 0, 0, "")
    rows = await journal.db.fetch("SELECT * FROM journal_cosignature JOIN journal_checkpoint USING (size)")
    for row in rows:
        key = CosignatureVerifier.parse(row["witness"])
        line = key.cosignature_line(int(row["signed_at"].timestamp()), row["signature"])
        assert key.verify(row["note"] + line)


async def test_head_is_submitted_once(cosigned_journal):
    journal = cosigned_journal
    assert await journal.witness.cosign()
    assert not await journal.witness.cosign()
    assert len(journal.witness.requests) == 1


async def test_nothing_is_submitted_before_the_first_seal(server, tmp_path):
    key = Cosigner.open(tmp_path / "witness.pem", "w").verifier
    async with open_journal(await create_database(server), tmp_path, f"{key} http://witness.test") as journal:
        (remote,) = journal.witnesses.remotes
        assert not await journal.witnesses.submit(answering(200), remote)
        assert (await witness_state(journal)).failures == 0


async def test_of_several_processes_one_submits_a_head(cosigned_journal):
    journal = cosigned_journal
    done = await asyncio.gather(*(journal.witness.cosign() for _ in range(8)))
    assert done.count(True) == 1
    assert len(journal.witness.requests) == 1


async def test_head_whose_answer_was_lost_is_cosigned_again(cosigned_journal):
    """As after a kill between the witness's answer and the commit."""
    journal = cosigned_journal
    assert await journal.witness.cosign()
    await journal.db.fetchval("DELETE FROM journal_cosignature")
    await journal.db.fetchval("UPDATE journal_witness SET size = 0")
    assert await journal.witness.cosign()
    assert await kept(journal) == [40]
    await journal.db.fetchval("DELETE FROM journal_cosignature")
    await journal.db.fetchval("UPDATE journal_witness SET size = 0")
    await grow(journal, "more")
    assert await journal.witness.cosign()
    assert await kept(journal) == [41]


async def test_witness_that_forgot_everything_is_submitted_to_from_the_beginning(cosigned_journal):
    journal = cosigned_journal
    assert await journal.witness.cosign()
    journal.witness.restart(forget=True)
    await grow(journal, "more")
    assert await journal.witness.cosign()
    assert await kept(journal) == [40, 41]


@pytest.mark.parametrize(
    ("http", "error"),
    [
        (answering(500), "status 500"),
        (answering(403, "unknown key"), "status 403"),
        (answering(422), "fork"),
        (answering(409, "no size"), "status 409"),
        (answering(409, "40\n" * 9), "status 409"),
        (answering(409, "41\n"), "ahead"),
        (answering(409, "7\n"), "answer"),
        (answering(200, ""), "signature"),
        (answering(200, "not a line"), "signature"),
        (answering(200, "x" * 70_000), "answer"),
        (answering(302, location="http://127.0.0.1/"), "status 302"),
    ],
)
async def test_answer_that_cosigns_nothing_is_a_failure_and_tried_again_later(cosigned_journal, http, error):
    journal = cosigned_journal
    assert not await journal.witness.cosign(http)
    state = await witness_state(journal)
    assert (state.failures, state.error, state.size, state.behind) == (1, error, 0, 40)
    assert await kept(journal) == []
    assert not await journal.witness.cosign()  # not its turn
    await take_turn_now(journal)
    assert await journal.witness.cosign()
    assert (await witness_state(journal)).failures == 0


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow")])
async def test_unreachable_witness_is_a_failure_with_growing_pauses(cosigned_journal, error):
    journal = cosigned_journal

    def fail(request):
        raise error

    pauses = []
    async with httpx.AsyncClient(transport=httpx.MockTransport(fail)) as http:
        for _ in range(12):
            await take_turn_now(journal)
            assert not await journal.witness.cosign(http)
            pauses.append(await journal.db.fetchval("SELECT extract(epoch FROM turn_at - now()) FROM journal_witness"))
    assert (await witness_state(journal)).failures == 12
    assert all(0 < pause <= 300 for pause in pauses)
    assert pauses[-1] > 250 > pauses[0]


async def test_witness_without_an_answer_is_given_up(cosigned_journal, monkeypatch):
    monkeypatch.setattr("esante.core.journal.witnesses.remote_witness.SECONDS", 0.05)

    async def hang(scope, receive, send):
        await asyncio.Event().wait()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(hang)) as http:
        assert not await cosigned_journal.witness.cosign(http)
    assert (await witness_state(cosigned_journal)).error == "timeout"


async def test_cosignature_of_another_key_is_not_kept(cosigned_journal, tmp_path):
    journal = cosigned_journal
    other = Cosigner.open(tmp_path / "other.pem", "witness.example/w1")
    text = (await journal.head()).note.partition("\n\n")[0] + "\n"
    assert not await journal.witness.cosign(answering(200, other.cosign(text, 1_800_000_000)))
    assert await kept(journal) == []


async def test_lines_of_other_keys_beside_the_cosignature_are_ignored(cosigned_journal, tmp_path):
    journal = cosigned_journal
    text = (await journal.head()).note.partition("\n\n")[0] + "\n"
    other = Cosigner.open(tmp_path / "other.pem", "other").cosign(text, 5)
    lines = f"{other}{journal.witness.cosigner.cosign(text, 1_800_000_000)}"
    assert await journal.witness.cosign(answering(200, lines))
    assert await kept(journal) == [40]


async def test_time_that_no_clock_shows_is_not_kept(cosigned_journal):
    journal = cosigned_journal
    text = (await journal.head()).note.partition("\n\n")[0] + "\n"
    line = journal.witness.cosigner.cosign(text, 2**62)
    assert not await journal.witness.cosign(answering(200, line))
    assert (await witness_state(journal)).error == "signature"


async def test_journal_cut_off_is_known_by_its_witness(cosigned_journal):
    """As after the restore of an old backup: the co-signatures are gone with the entries."""
    journal = cosigned_journal
    await grow(journal, "lost", "lost too")
    assert await journal.witness.cosign()
    for table, size in (("journal_leaf", "seq"), ("journal_checkpoint", "size"), ("journal_cosignature", "size")):
        await journal.db.fetchval(f"DELETE FROM {table} WHERE {size} > 40")
    await journal.db.fetchval("UPDATE journal_witness SET size = 40")
    assert not await journal.witness.cosign()
    state = await witness_state(journal)
    assert (state.error, state.known) == ("ahead", 42)
    journal.witness.restart(forget=True)  # who runs the witness accepts what happened
    await take_turn_now(journal)
    assert await journal.witness.cosign()


async def test_other_history_of_the_same_length_is_refused_by_the_witness(cosigned_journal):
    journal = cosigned_journal
    fork = WitnessedLog(40, origin=journal.origin, key=journal.signer._key)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(journal.witness), base_url="http://witness.test"
    ) as http:
        assert (await http.post("/add-checkpoint", content=fork.body(0, 40))).status_code == 200
    assert not await journal.witness.cosign()
    assert (await witness_state(journal)).error == "fork"


@asynccontextmanager
async def silent_server():
    """A server that accepts connections and never answers; gives its address."""
    server = await asyncio.start_server(lambda reader, writer: asyncio.Event().wait(), "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_slow_witness_delays_neither_another_one_nor_the_sealer(server, tmp_path, monkeypatch):
    monkeypatch.setattr(submitter, "INTERVAL", 0.01)
    dsn, slow = await create_database(server), Cosigner.open(tmp_path / "slow.pem", "slow.example")
    async with open_journal(dsn, tmp_path / "journal") as journal:
        key = journal.signer.verifier
    process = WitnessProcess(tmp_path / "witness", str(key)).start()
    async with silent_server() as address:
        witnesses = f"{slow.verifier} {address} {process.key} {process.url}"
        async with open_journal(dsn, tmp_path / "journal", witnesses) as journal:
            running = asyncio.create_task(journal.witnesses.run())
            for number in range(3):
                await grow(journal, f"text {number}")
                async with asyncio.timeout(60):
                    while (await journal.witnesses.states())[1].behind:
                        await asyncio.sleep(0.01)
            waiting, working = await journal.witnesses.states()
            running.cancel()
    process.stop()
    assert (waiting.size, waiting.failures, working.size, working.failures) == (0, 0, 3, 0)
