"""Jobs in the sandbox: what they can do, and what a job that attacks cannot."""

import asyncio
import csv
import shutil
import socket
import threading
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from esante.services.research.environment import isolation
from esante.services.research.environment.model import JobKind, JobLimits
from esante.services.research.environment.sandbox import NoIsolation, run_in_sandbox

TABLES = {"population_person": "population.person"}
MEBI = 1 << 20

if shutil.which("bwrap") is None:
    pytest.skip("bubblewrap is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("extraction")
    (folder / "population.person").mkdir()
    sexes = ["female", "male"] * 10
    table = pa.table({"person": [f"P{number}" for number in range(20)], "sex": sexes})
    pq.write_table(table, folder / "population.person" / "1.parquet")
    folder.chmod(0o755)
    secret = folder.parent / "other-permit"
    secret.mkdir(exist_ok=True)
    (secret / "secret.txt").write_text("of another permit")
    return folder


async def run(data: Path, text: str, kind: JobKind = JobKind.PYTHON, **limits: int):
    return await run_in_sandbox(kind, text, data, TABLES, JobLimits(**limits))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


async def test_sql_job_gives_the_rows_of_each_select(data):
    done = await run(
        data,
        "CREATE TABLE t AS SELECT 1 AS a; SELECT sex, count(*) AS n FROM population_person GROUP BY sex ORDER BY sex; SELECT a FROM t",
        JobKind.SQL,
    )
    assert done.code == ""
    assert rows(done.tables["result_1"]) == [{"sex": "female", "n": "10"}, {"sex": "male", "n": "10"}]
    assert rows(done.tables["result_2"]) == [{"a": "1"}]


async def test_cells_run_in_order_and_hand_over_tables(data):
    text = "found = sql('SELECT sex, count(*) AS n FROM population_person GROUP BY sex ORDER BY sex')\n# %%\noutput('by_sex', found)\noutput('own', [{'a': 1, 'b': 2}])\n"
    done = await run(data, text)
    assert rows(done.tables["by_sex"])[0] == {"sex": "female", "n": "10"} and rows(done.tables["own"]) == [
        {"a": "1", "b": "2"}
    ]


async def test_wrong_statement_is_told_with_its_place(data):
    done = await run(data, "SELECT nothing FROM population_person", JobKind.SQL)
    assert done.code == "sql" and "nothing" in done.message


async def test_message_made_of_data_is_not_told(data):
    by_error = await run(data, "SELECT error(person) FROM population_person", JobKind.SQL)
    by_query = await run(
        data,
        "SET VARIABLE q = (SELECT max(person) FROM population_person); SELECT * FROM query(getvariable('q'))",
        JobKind.SQL,
    )
    by_script = await run(
        data, "raise type(sql('SELECT max(person) FROM population_person').fetchall()[0][0], (Exception,), {})()"
    )
    for done in (by_error, by_query, by_script):
        assert done.code and "P9" not in done.message
    assert (by_script.message, by_script.line) == ("Exception", 1)


@pytest.fixture(scope="module")
def listener():
    """A server on this machine, of TCP, UDP and a socket without a file; gives its port and what reached it."""
    reached: list[str] = []
    tcp, udp, abstract = socket.socket(), socket.socket(type=socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX)
    tcp.bind(("127.0.0.1", 0))
    port = tcp.getsockname()[1]
    udp.bind(("127.0.0.1", port))
    abstract.bind(f"\0esante-{port}")
    for one in (tcp, abstract):
        one.listen()

    def wait(name, take):
        while True:
            try:
                take()
            except OSError:
                return
            reached.append(name)

    for name, take in (("tcp", tcp.accept), ("unix", abstract.accept), ("udp", lambda: udp.recv(1))):
        threading.Thread(target=wait, args=(name, take), daemon=True).start()
    yield port, reached
    for one in (tcp, udp, abstract):
        one.close()


ATTACKS = {
    "tcp": "socket.create_connection(('127.0.0.1', PORT), 2)",
    "udp": "[socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))]",
    "dns": "socket.getaddrinfo('example.org', 80)",
    "unix": "socket.socket(socket.AF_UNIX).connect('\\0esante-PORT')",
    "passwd": "open('/etc/passwd').read()",
    "passwd_by_link": "os.symlink('/etc/passwd', '/output/linked.csv') or open('/output/linked.csv').read()",
    "processes": "open('/proc/1/environ').read()",
    "database": "os.listdir('/var/run/postgresql')",
    "other_permit": "open('OTHER/secret.txt').read()",
    "own_folder_on_host": "os.listdir('OTHER')",
    "write_data": "open('/data/more', 'w')",
    "write_table": "open('/data/population.person/1.parquet', 'ab')",
    "write_library": "open(os.__file__, 'a')",
    "write_root": "open('/file', 'w')",
    "write_devices": "open('/dev/shm/file', 'w')",
    "write_device_folder": "open('/dev/file', 'w')",
    "mount": "(_ for _ in ()).throw(OSError()) if ctypes.CDLL(None).mount(b'none', b'/scratch', b'tmpfs', 0, None) else None",
    "namespace": "(_ for _ in ()).throw(OSError()) if ctypes.CDLL(None).unshare(0x10000000) else None",
    "signal": "os.kill(HOST, 0)",
    "httpfs": 'conn_of(sql).sql("INSTALL httpfs; LOAD httpfs")',
    "attach": "conn_of(sql).sql(\"ATTACH '/data/x.duckdb'\")",
    "copy": "conn_of(sql).sql(\"COPY (SELECT 1) TO '/output/copy.csv'\")",
    "read_csv": "sql(\"SELECT * FROM read_csv('/etc/passwd')\").fetchall()",
    "http": "sql(\"SELECT * FROM 'http://127.0.0.1:PORT/x.parquet'\").fetchall()",
    "unlock": "conn_of(sql).sql('SET enable_external_access = true')",
    "disk_full": "fill('/output')",
    "scratch_full": "fill('/scratch')",
    "nested": "__import__('duckdb').sql(\"SELECT * FROM read_csv('/etc/passwd')\").fetchall()",
}
SCRIPT = """
import socket, os, ctypes
def conn_of(f): return f.__self__
def fill(place):
    written = 0
    for number in range(64):
        try:
            with open(f"{place}/full{number}", "wb") as file:
                for _ in range(64):
                    file.write(b"x" * (1 << 20)); file.flush(); written += 1
        except OSError:
            break
    for number in range(64):
        if os.path.exists(f"{place}/full{number}"): os.remove(f"{place}/full{number}")
    if written <= 64: raise OSError
outcomes = []
def attack(name, text):
    try:
        eval(text)
    except BaseException as error:
        outcomes.append({"attack": name, "outcome": "stopped"})
    else:
        outcomes.append({"attack": name, "outcome": "worked"})
"""


@pytest.fixture(scope="module")
async def outcomes(data, listener):
    """The outcome of each attack, and what reached the server; all are made by one job."""
    import os

    port, reached = listener
    calls = "\n".join(f"attack({name!r}, {text!r})" for name, text in (ATTACKS | CONTROLS).items())
    for old, new in (("PORT", port), ("OTHER", data.parent / "other-permit"), ("HOST", os.getpid())):
        calls = calls.replace(old, str(new))
    done = await run(data, f"{SCRIPT}\n{calls}\noutput('outcomes', outcomes)", scratch_size=32 * MEBI, seconds=60)
    assert done.code == "", done
    return {row["attack"]: row["outcome"] for row in rows(done.tables["outcomes"])}, reached, done


CONTROLS = {
    "write_scratch": "open('/scratch/file', 'w').write('x')",
    "read_data": "open('/data/population.person/1.parquet', 'rb').read()",
    "statement": "conn_of(sql).sql('SELECT 1').fetchall()",
    "fork": "os.fork() or os._exit(0)",
}


@pytest.mark.parametrize("control", CONTROLS)
async def test_what_a_job_needs_is_possible(outcomes, control):
    assert outcomes[0][control] == "worked"


@pytest.mark.parametrize("attack", ATTACKS)
async def test_attack_gets_nowhere(outcomes, attack):
    assert outcomes[0][attack] == "stopped"


async def test_nothing_reaches_a_server_of_this_machine(outcomes, listener):
    port, reached = listener
    socket.create_connection(("127.0.0.1", port)).close()
    for _ in range(100):
        if reached:
            break
        await asyncio.sleep(0.02)
    assert reached == ["tcp"]  # of this test


async def test_link_in_the_output_is_named_and_not_followed(outcomes):
    done = outcomes[2]
    assert "linked.csv" in done.left_out and set(done.tables) == {"outcomes"}


async def test_endless_loop_is_killed(data):
    assert (await run(data, "while True: pass", seconds=2)).code == "time"


async def test_job_whose_child_goes_on_is_over_with_it(data):
    text = "import os, time\nif not os.fork():\n    time.sleep(1000)\noutput('n', [{'n': 1}])"
    assert (await run(data, text, seconds=30)).tables == {"n": "n\r\n1\r\n"}


async def test_fork_bomb_stays_small(data):
    text = "import os, time\nn = 0\ntry:\n    while True:\n        if not os.fork(): time.sleep(1000)\n        n += 1\nexcept OSError: pass\noutput('n', [{'n': n}])"
    done = await run(data, text, seconds=30)
    assert 0 < int(rows(done.tables["n"])[0]["n"]) <= JobLimits().processes


@pytest.mark.parametrize(
    "text",
    [
        "kept = [bytearray(1 << 20) for _ in range(100_000)]",
        "import os, time\nfor _ in range(8): os.fork()\nkept = bytearray(60 << 20)\ntime.sleep(20)",
    ],
    ids=["one process", "many processes"],
)
async def test_memory_is_bounded_over_all_processes(data, text):
    done = await run(data, text, memory=512 * MEBI, processes=300, seconds=60)
    assert done.code in ("memory", "killed")


async def test_answer_that_is_too_long_is_refused(data):
    text = "for number in range(3): output(f't{number}', [{'a': 'x' * 1000}] * 1000)"
    assert (await run(data, text, output_size=2 * MEBI)).code == "output_size"


async def test_job_that_takes_over_the_runner_is_not_believed(data):
    text = 'import os, signal\nfor fd in range(3, 20):\n    try: os.write(fd, b\'{"code": "../../x"}\')\n    except OSError: pass\nos._exit(0)'
    done = await run(data, text)
    assert done.code == "killed" and not done.tables


async def test_machine_without_bubblewrap_runs_nothing(data, monkeypatch):
    monkeypatch.setattr(isolation, "BUBBLEWRAP", "no-such-program")
    with pytest.raises(NoIsolation, match="apt-get install bubblewrap"):
        await run(data, "output('a', [{'a': 1}])")


async def test_cancelled_job_leaves_no_process(data):
    marker = "sleep_marker_of_this_test"
    task = asyncio.create_task(run(data, f"import time\n{marker} = 1\ntime.sleep(1000)"))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found = [one for one in Path("/proc").glob("[0-9]*/cmdline") if _mentions(one, str(data))]
    assert found == []


def _mentions(file: Path, text: str) -> bool:
    try:
        return text.encode() in file.read_bytes()
    except OSError:
        return False
