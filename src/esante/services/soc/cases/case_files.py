"""The files of cases in the object store: each case has a folder of its own, which goes with it."""

from uuid import UUID

from esante.core.storage import Objects, sha256


async def put_file(objects: Objects, case_id: UUID, content: bytes) -> bytes:
    """Store a file of a case; return its SHA-256."""
    digest = sha256(content)
    await objects.put_named(_name(case_id, digest), content)
    return digest


async def get_file(objects: Objects, case_id: UUID, digest: bytes) -> bytes:
    """Return a file of a case.

    Files of older versions lie under their SHA-256 alone. Raises: FileNotFoundError for a lost one, ValueError for
    one that was changed.
    """
    try:
        content = await objects.get_named(_name(case_id, digest))
    except FileNotFoundError:
        return await objects.get(digest)
    if sha256(content) != digest:
        raise ValueError(f"the file {digest.hex()} of the case {case_id} is damaged: its bytes have another SHA-256")
    return content


def folder_of_case(case_id: UUID) -> str:
    """Return the folder of a case."""
    return f"soc-cases/{case_id.hex}"


def _name(case_id: UUID, digest: bytes) -> str:
    return f"{folder_of_case(case_id)}/{digest.hex()}"
