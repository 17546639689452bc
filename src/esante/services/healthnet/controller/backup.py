"""Backup and restore of the controller: one file of JSON lines, which has no secrets, beside the root key.

A controller that was restored is behind its agents: they refuse old serials, tell theirs, and get the next ones.
What was revoked or put into quarantine after the backup must be done again: the journal says what. Where the key that
signs bundles was exchanged after it, it is announced again: the agents that trust it accept that bundle.
"""

import gzip
from pathlib import Path

import orjson

from esante.core.storage import Database
from esante.services.healthnet.bundles.signer import BundleSigner
from esante.services.healthnet.controller import backup_store
from esante.services.healthnet.controller.model import ControlRefused
from esante.services.healthnet.controller.rollout import bundle_store

_KIND = "esante healthnet controller 1"


async def write_backup(db: Database, signer: BundleSigner, path: Path) -> int:
    """Write all tables of the controller at one moment into a file; return the number of rows."""
    part = path.with_name(f"{path.name}.part")
    count = 0
    with gzip.open(part, "wb") as file:
        file.write(orjson.dumps({"kind": _KIND, "key": signer.key_id}) + b"\n")
        async with db.transaction("repeatable_read") as conn:
            for table in backup_store.TABLES:
                for row in await backup_store.fetch_rows(conn, table):
                    file.write(table.encode() + b"\t" + row.encode() + b"\n")
                    count += 1
    part.replace(path)
    return count


async def read_backup(db: Database, signer: BundleSigner, path: Path) -> int:
    """Replace the tables of the controller by those of a file, all or nothing; return the number of rows.

    Raises: ControlRefused for what is no backup, a damaged one, or one of another root key.
    """
    try:
        with gzip.open(path, "rb") as file:
            lines = file.read().splitlines()
        head = orjson.loads(lines[0])
        rows = [line.decode().split("\t", 1) for line in lines[1:]]
        if head["kind"] != _KIND or any(table not in backup_store.TABLES for table, _ in rows):
            raise ValueError(head["kind"])
    except (OSError, EOFError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ControlRefused(400, f"{path.name} is no backup of the controller, or it is damaged") from error
    if head["key"] != signer.key_id:
        raise ControlRefused(409, "the backup belongs to another root key: restore that key first")
    async with db.transaction() as conn:
        await backup_store.clear(conn)
        for table in backup_store.TABLES:
            await backup_store.insert_rows(conn, table, [row for name, row in rows if name == table])
        await bundle_store.ensure_signing_key(conn)  # a backup of an earlier version has none
    return len(rows)
