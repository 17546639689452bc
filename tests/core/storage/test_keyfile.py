"""Key files are created once, for their owner only."""

from concurrent.futures import ThreadPoolExecutor

from esante.core.storage import keyfile, read_or_create_key, replace_key


def test_key_is_created_once_and_readable_by_its_owner_only(tmp_path):
    path = tmp_path / "keys" / "key.pem"
    assert read_or_create_key(path, lambda: b"first") == b"first"
    assert read_or_create_key(path, lambda: b"second") == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_key_of_another_process_that_was_faster_is_used(tmp_path, monkeypatch):
    path = tmp_path / "key.pem"
    pids = iter(range(100, 200))
    monkeypatch.setattr(keyfile.os, "getpid", lambda: next(pids))
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda number: read_or_create_key(path, str(number).encode), range(32)))
    assert set(keys) == {path.read_bytes()}


def test_replaced_key_is_readable_by_its_owner_only_and_the_one_before_is_gone(tmp_path):
    path = tmp_path / "key.pem"
    read_or_create_key(path, lambda: b"first")
    replace_key(path, b"second")
    assert path.read_bytes() == b"second" and path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
