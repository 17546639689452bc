"""Files of events in each format; broken, hostile and oversized ones."""

import gzip
import io
import json
import zipfile

import pytest

from esante.services.soc.scan import bounds, event_files, evtx_events
from esante.services.soc.scan.event_files import EventFiles

EVENTS = [{"a": 1, "text": "é"}, {"a": 2}, {"a": 3}]
LINES = "\n".join(json.dumps(event, ensure_ascii=False) for event in EVENTS)


def read(path):
    reader = EventFiles()
    return list(reader.read(path)), [(fault.place, fault.reason) for fault in reader.faults]


@pytest.mark.parametrize(
    "content",
    [
        LINES.encode(),
        b"\xef\xbb\xbf" + LINES.encode() + b"\n\n",
        LINES.replace("\n", "\r\n").encode(),
        json.dumps(EVENTS).encode(),
        json.dumps(EVENTS, indent=2).encode(),
        json.dumps(EVENTS, indent=2).encode("utf-16"),
        "\n".join(json.dumps(event, indent=2) for event in EVENTS).encode(),
        ",\n".join(json.dumps(event, indent=2) for event in EVENTS).encode(),
        json.dumps({"Records": EVENTS}).encode(),
        json.dumps({"value": EVENTS}, indent=2).encode(),
        f"{json.dumps(EVENTS[:2])}\n{json.dumps(EVENTS[2:])}".encode(),
    ],
)
def test_events_are_read_in_each_form_of_json(tmp_path, content):
    (tmp_path / "events").write_bytes(content)
    assert read(tmp_path / "events") == (EVENTS, [])


def test_lines_of_text_are_messages(tmp_path):
    (tmp_path / "auth.log").write_bytes(b"<13>1 first\n\nsecond \xff\n")
    assert read(tmp_path / "auth.log") == ([{"message": "<13>1 first"}, {"message": "second �"}], [])


def test_broken_lines_are_named_and_the_others_read(tmp_path):
    (tmp_path / "events").write_text('{"a": \n{"a": 2}\n"text"\n[{"a": 3}, 4]\n{"a": NaN}\n', "utf-8")
    events, faults = read(tmp_path / "events")
    assert events == [{"a": 2}, {"a": 3}]
    assert [place for place, _ in faults] == ["line 1", "line 3", "line 4, item 2", "line 5"]


def test_only_the_first_faults_are_listed(tmp_path):
    (tmp_path / "events").write_text('{"a": 1}\n' + "{\n" * 250, "utf-8")
    reader = EventFiles()
    assert len(list(reader.read(tmp_path / "events"))) == 1
    assert (len(reader.faults), reader.unlisted) == (100, 150)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{\n  'a': 1\n}", "is not valid JSON"),
        (b"[" * 200_000, "is not valid JSON"),
        (b'{"a":\n' * 100_000, "is not valid JSON"),
        (b"\x7fELF\0\0\0", "has an unknown format"),
        (b"<?xml version='1.0'?><Events/>", "is XML"),
        (b"ElfFile\0" + b"\0" * 5_000, "its header counts nothing"),
        (b"ElfFile\0", "cannot be read"),
        (b"PK\x03\x04" + b"\0" * 50, "cannot be unpacked"),
        (b"\xff\xfe{", "is not valid JSON"),
    ],
)
def test_unreadable_file_is_named_with_its_reason(tmp_path, content, reason):
    (tmp_path / "file").write_bytes(content)
    events, faults = read(tmp_path / "file")
    assert events == [] and len(faults) == 1
    assert reason in faults[0][1]


def test_line_that_is_too_long_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr("esante.services.soc.scan.json_events.MAX_LINE", 100)
    (tmp_path / "events").write_text('{"a": 1}\n{"a": "' + "x" * 1_000 + '"}\n{"a": 2}\n', "utf-8")
    events, faults = read(tmp_path / "events")
    assert events == [{"a": 1}, {"a": 2}]
    assert [place for place, _ in faults] == ["line 2"]


def archive(path, **contents):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in contents.items():
            packed.writestr(name, content)
    return path


def test_files_in_an_archive_are_read_one_after_the_other(tmp_path, shared_data):
    evtx = next((shared_data / "sigma" / "evtx").glob("7124*.evtx")).read_bytes()
    path = archive(tmp_path / "all.zip", first=LINES, second=json.dumps(EVENTS), third=evtx, broken=b"\0\0")
    events, faults = read(path)
    assert events[:6] == EVENTS * 2
    assert [event["Event"]["System"]["EventID"] for event in events[6:]] == [1, 1]
    assert [reason for _, reason in faults] == ["has an unknown format"]


def test_archive_in_an_archive_is_refused(tmp_path):
    inner = archive(tmp_path / "inner.zip", events=LINES).read_bytes()
    events, faults = read(archive(tmp_path / "outer.zip", inner=inner, events=LINES))
    assert (events, faults) == (EVENTS, [("", "is a ZIP file in a ZIP file")])


def test_archive_that_unpacks_beyond_measure_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "RATIO_FROM", 1 << 20)
    events, faults = read(archive(tmp_path / "bomb.zip", bomb=b"{" + b" " * (8 << 20), events=LINES))
    assert events == EVENTS
    assert [reason for _, reason in faults] == ["unpacks to more than 300 times its size"]


def test_archive_with_too_much_in_all_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(event_files, "MAX_UNPACKED", 2 << 20)
    events, faults = read(archive(tmp_path / "bomb.zip", **{str(n): b" " * (1 << 20) for n in range(5)}))
    assert events == [] and any("unpacks to more than" in reason for _, reason in faults)


def test_archive_with_too_many_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(event_files, "MAX_ENTRIES", 3)
    assert "holds more than" in read(archive(tmp_path / "many.zip", **{str(n): "" for n in range(4)}))[1][0][1]


def test_archive_whose_directory_lies_about_sizes_is_refused(tmp_path):
    path = archive(tmp_path / "lie.zip", events=LINES)
    path.write_bytes(path.read_bytes()[:-30])
    assert "cannot be unpacked" in read(path)[1][0][1]


def test_encrypted_archive_is_refused(tmp_path):
    path = archive(tmp_path / "secret.zip", events=LINES)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    assert "cannot be unpacked" in read(path)[1][0][1]


def test_truncated_log_is_named(tmp_path, shared_data):
    whole = next((shared_data / "sigma" / "evtx").glob("7124*.evtx")).read_bytes()
    (tmp_path / "cut.evtx").write_bytes(whole[: 4096 + 2048])
    _, faults = read(tmp_path / "cut.evtx")
    assert "the file is cut off" in faults[0][1]


@pytest.mark.parametrize("seed", range(6))
def test_mutated_log_ends_with_events_or_faults(tmp_path, shared_data, seed):
    import random

    choice = random.Random(seed)
    data = bytearray(next((shared_data / "sigma" / "evtx").glob("7124*.evtx")).read_bytes())
    for _ in range(200):
        data[choice.randrange(4096 + 128, 4096 + 8192)] = choice.randrange(256)
    (tmp_path / "mutated.evtx").write_bytes(data)
    events, faults = read(tmp_path / "mutated.evtx")
    assert faults or all("Event" in event for event in events)


def test_parser_that_stalls_is_killed(tmp_path, monkeypatch, shared_data):
    worker = tmp_path / "worker.py"
    worker.write_text("import time\ntime.sleep(60)\n", "utf-8")
    monkeypatch.setattr(evtx_events, "_PROGRAM", worker)
    monkeypatch.setattr(evtx_events, "SILENCE", 0.3)
    path = next((shared_data / "sigma" / "evtx").glob("*.evtx"))
    assert read(path) == ([], [("", "gave no record for 0 s")])


def test_parser_that_dies_is_a_fault(tmp_path, monkeypatch, shared_data):
    worker = tmp_path / "worker.py"
    worker.write_text("import os\nprint('={\"Event\": {}}', flush=True)\nos.kill(os.getpid(), 9)\n", "utf-8")
    monkeypatch.setattr(evtx_events, "_PROGRAM", worker)
    events, faults = read(next((shared_data / "sigma" / "evtx").glob("*.evtx")))
    assert events == [{"Event": {}}]
    assert "made the parser fail" in faults[0][1]


def test_absent_file_is_a_fault(tmp_path):
    assert "cannot be read" in read(tmp_path / "absent")[1][0][1]


def test_compressed_file_of_another_kind_is_named(tmp_path):
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="w", mtime=0) as packed:
        packed.write(LINES.encode())
    (tmp_path / "events.gz").write_bytes(buffer.getvalue())
    assert "has an unknown format" in read(tmp_path / "events.gz")[1][0][1]
