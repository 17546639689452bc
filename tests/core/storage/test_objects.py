"""The object store: files and a real S3 protocol server, with the same behaviour."""

import os

import pytest
from moto.server import ThreadedMotoServer

from esante.core.storage import Objects, sha256


@pytest.fixture(scope="module")
def s3():
    """An S3 server on loopback with one bucket."""
    import boto3

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    before = dict(os.environ)
    os.environ.update(environment)
    boto3.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"], region_name="us-east-1").create_bucket(
        Bucket="esante"
    )
    yield "s3://esante/objects"
    os.environ.clear()
    os.environ.update(before)
    server.stop()


@pytest.fixture(params=["files", "s3"])
def store(request, tmp_path):
    """The store in files, then on S3."""
    url = "" if request.param == "files" else request.getfixturevalue("s3")
    return Objects.open(url, tmp_path)


async def test_stored_bytes_are_returned_by_their_digest(store):
    for data in (b"x", b"", os.urandom(300_000)):
        digest = await store.put(data)
        assert digest == sha256(data)
        assert await store.get(digest) == data
        assert await store.put(data) == digest


async def test_absent_object_raises_file_not_found(store):
    with pytest.raises(FileNotFoundError):
        await store.get(sha256(b"never stored"))


async def test_named_object_is_replaced(store):
    await store.put_named("journal/checkpoint", b"one")
    await store.put_named("journal/checkpoint", b"two")
    assert await store.get_named("journal/checkpoint") == b"two"


async def test_damaged_file_raises_value_error(tmp_path):
    store = Objects.open("", tmp_path)
    digest = await store.put(b"the true bytes")
    name = digest.hex()
    (tmp_path / "objects" / name[:2] / name[2:4] / name).write_bytes(b"other bytes")
    with pytest.raises(ValueError, match="damaged"):
        await store.get(digest)


async def test_remove_folder_removes_its_objects_and_no_others(store):
    names = [f"export/{folder}/{number}" for folder in ("aa", "ab", "a") for number in range(12)]
    for name in names:
        await store.put_named(name, b"x")
    assert set(await store.folders("export")) == {"a", "aa", "ab"}
    await store.remove_folder("export/a")
    await store.remove_folder("export/a")
    await store.remove_folder("export/none")
    assert set(await store.folders("export")) == {"aa", "ab"}
    with pytest.raises(FileNotFoundError):
        await store.get_named("export/a/1")
    assert await store.get_named("export/aa/11") == b"x"
    await store.put_named("export/a/1", b"again")
    assert await store.get_named("export/a/1") == b"again"
    assert await store.folders("nothing") == []


async def test_file_is_stored_under_a_name_and_read_in_ranges(store):
    with store.incoming() as file:
        file.write(b"0123456789")
        await store.put_file("dicom/aa/one", file)
    assert await store.get_named("dicom/aa/one") == b"0123456789"
    assert await store.get_range("dicom/aa/one", 3, 4) == b"3456"
    await store.remove_named("dicom/aa/one")
    await store.remove_named("dicom/aa/one")
    with pytest.raises(FileNotFoundError):
        await store.get_range("dicom/aa/one", 0, 1)


async def test_range_beyond_the_end_raises_file_not_found(tmp_path):
    store = Objects.open("", tmp_path)
    await store.put_named("short", b"abc")
    with pytest.raises(FileNotFoundError):
        await store.get_range("short", 1, 5)


async def test_file_that_is_not_stored_is_gone(tmp_path):
    store = Objects.open("", tmp_path)
    with store.incoming() as file:
        file.write(b"x" * 1_000_000)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
