"""The work of a request: statements, rows, objects, sandbox tasks. Whoever may not see something causes none for it."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import asyncpg

from esante.core.storage import Objects
from esante.core.web import sessions
from esante.identity.access.authn import authentication, person_lookups
from esante.identity.directory import cache
from esante.services.record.rendering.worker_pool import WorkerPool


@dataclass
class Work:
    """What was done since `clear`.

    `statements`: how often each statement ran (its text, the lengths of the lists among its parameters) and the rows
    it gave. `rows`: rows inserted into each table by `Database.write`. `objects`: what was asked of the object store,
    with the bytes. `sandbox`: tasks of the sandbox, with the bytes.
    """

    statements: Counter[tuple[str, tuple[int, ...], int]] = field(default_factory=Counter)
    objects: Counter[tuple[str, int]] = field(default_factory=Counter)
    sandbox: Counter[int] = field(default_factory=Counter)

    def clear(self) -> None:
        """Forget what was done."""
        for counted in (self.statements, self.objects, self.sandbox):
            counted.clear()

    def taken(self) -> "Work":
        """Return what was done, and forget it."""
        taken = Work(self.statements.copy(), self.objects.copy(), self.sandbox.copy())
        self.clear()
        return taken

    def difference(self, other: "Work") -> str:
        """Return what was done here and not there, or there and not here; "" where both did the same."""
        lines = []
        for name in ("statements", "objects", "sandbox"):
            mine, theirs = getattr(self, name), getattr(other, name)
            lines += [f"- {one}" for one in (mine - theirs).elements()]
            lines += [f"+ {one}" for one in (theirs - mine).elements()]
        return "\n".join(lines)


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that counts what is asked of it in the `Work` of its class."""

    work: Work

    async def _execute(self, query: str, args: tuple[Any, ...], *rest: Any, **options: Any) -> Any:
        found = await super()._execute(query, args, *rest, **options)
        self._count(query, args, len(found[0] if options.get("return_status") else found))
        return found

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        if not args:
            self._count(query, args, 0)
        status: str = await super().execute(query, *args, **options)
        return status

    def _count(self, query: str, args: tuple[Any, ...], rows: int) -> None:
        if "FROM access_assignment" in query or "FROM directory_merge" in query:
            return  # rules of the country and merges of entries, read again now and then whatever is asked
        lists = tuple(len(arg) for arg in args if isinstance(arg, (list, tuple)))
        self.work.statements[" ".join(query.split()), lists, int(rows)] += 1


@contextlib.contextmanager
def counted_work() -> Iterator[Work]:
    """Count the work of all platforms that are opened in this context; caches keep what they have meanwhile."""
    work = Work()
    connection = type("CountedConnection", (_Connection,), {"work": work})
    connect, get, put, run = asyncpg.connect, Objects.get_named, Objects.put_named, WorkerPool.run

    async def counted_get(self: Objects, name: str) -> bytes:
        data = await get(self, name)
        work.objects["get", len(data)] += 1
        return data

    async def counted_put(self: Objects, name: str, data: bytes) -> None:
        work.objects["put", len(data)] += 1
        await put(self, name, data)

    async def counted_run(self: WorkerPool, request: Any, data: bytes, *rest: Any, **more: Any) -> Any:
        work.sandbox[len(data)] += 1
        return await run(self, request, data, *rest, **more)

    with contextlib.ExitStack() as stack:
        for target, name, value in (
            (asyncpg, "connect", lambda *args, **options: connect(*args, connection_class=connection, **options)),
            (Objects, "get_named", counted_get),
            (Objects, "put_named", counted_put),
            (WorkerPool, "run", counted_run),
            (authentication, "CACHE_SECONDS", 3_600.0),
            (sessions, "_CACHE_SECONDS", 3_600.0),
            (person_lookups, "_CACHE_SECONDS", 3_600.0),
            (cache, "MAX_AGE_SECONDS", 3_600.0),
        ):
            stack.enter_context(mock.patch.object(target, name, value))
        yield work
