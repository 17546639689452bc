"""Jobs: long work that is done in steps beside the requests, with its result as files in the object store.

A kind of job has a table and a subclass of `JobWorker`. Each process has one worker of each kind, which takes the job
that waited longest and does one step of it. A step is one transaction: what it did and the progress. Objects are
stored before; after a crash they are written again under the same names.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from time import monotonic
from typing import ClassVar, Generic, Protocol, TypeVar
from uuid import UUID

from esante.core import clock
from esante.core.storage.database import Database, Unavailable
from esante.core.storage.objects import Objects
from esante.core.storage.pool import Connection

log = logging.getLogger(__name__)
IDLE_SECONDS = 0.5
CLEANUP_SECONDS = 60.0
"""The time between two searches for files of no job."""
MAX_FAILURES = 6


class JobState(StrEnum):
    """The state of a job."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class _Job(Protocol):
    @property
    def id(self) -> UUID: ...

    @property
    def folder(self) -> str: ...

    @property
    def failures(self) -> int: ...


J = TypeVar("J", bound=_Job)


class JobWorker(ABC, Generic[J]):
    """Works on the jobs of a kind, and removes those that have ended, with their files.

    The files of a job lie in the folder of the object store that it names: `FOLDER`, a slash, and its id.
    """

    FOLDER: ClassVar[str]
    STEP_SECONDS: ClassVar[float] = 2.0
    """The length of a step; after it another job has its turn."""
    GRACE: ClassVar[timedelta] = timedelta(minutes=10)
    """How long files outlive their expiry, for clients that are fetching one at that time."""

    def __init__(self, db: Database, objects: Objects) -> None:
        self._db, self._objects = db, objects

    async def run(self) -> None:
        """Work until cancelled; wait while the database or the object store is unavailable."""
        cleaned_at = 0.0
        while True:
            busy = False
            try:
                busy = await self.advance()
                await self.remove_ended()
                if monotonic() - cleaned_at > CLEANUP_SECONDS:
                    await self.remove_orphaned_files()
                    cleaned_at = monotonic()
            except Unavailable:
                log.warning("jobs (%s) are waiting for the database or the object store", self.FOLDER)
            except Exception:
                log.exception("the worker of jobs (%s) failed; it will try again", self.FOLDER)
            if not busy:
                await asyncio.sleep(IDLE_SECONDS)

    async def advance(self) -> bool:
        """Do one step of the next job; False when none is due."""
        job: J | None = None
        try:
            async with self._db.transaction() as conn:
                job = await self._lock_next(conn, clock.now())
                if job is not None:
                    await self._do_step(conn, job)
        except Unavailable:
            raise
        except Exception as error:
            if job is None:
                raise
            log.exception("job %s failed; it will be tried again", job.folder)
            await self._postpone(job, error)
        return job is not None

    async def remove_ended(self) -> None:
        """Remove the jobs that were cancelled or have expired, with their files."""
        while await self._remove_one(clock.now() - self.GRACE):
            pass

    async def remove_orphaned_files(self) -> None:
        """Remove files of no job, which a killed process may have left."""
        folders = {key for name in await self._objects.folders(self.FOLDER) if (key := _job_id(name)) is not None}
        for job_id in folders - await self._existing(list(folders)):
            await self._objects.remove_folder(f"{self.FOLDER}/{job_id.hex}")

    async def _postpone(self, job: J, error: Exception) -> None:
        """Try again after 2 s, 4 s, 8 s …; after `MAX_FAILURES` the job has failed."""
        async with self._db.transaction() as conn:
            retry_at = clock.now() + timedelta(seconds=2 ** (job.failures + 1))
            await self._record_failure(conn, job, type(error).__name__, retry_at)

    async def _remove_one(self, before: datetime) -> bool:
        async with self._db.transaction() as conn:
            job = await self._lock_ended(conn, before)
            if job is None:
                return False
            await self._objects.remove_folder(job.folder)
            await self._delete(conn, job)
        return True

    @abstractmethod
    async def _lock_next(self, conn: Connection, now: datetime) -> J | None:
        """Return the job that has waited longest, locked; None when none is due or free."""

    @abstractmethod
    async def _do_step(self, conn: Connection, job: J) -> None:
        """Do one step of a job, and store its progress."""

    @abstractmethod
    async def _record_failure(self, conn: Connection, job: J, error: str, retry_at: datetime) -> None:
        """Store that a step failed (`job_store.record_failure`)."""

    @abstractmethod
    async def _lock_ended(self, conn: Connection, before: datetime) -> J | None:
        """Return a job that was cancelled, or expired before a time, locked; None when there is none."""

    @abstractmethod
    async def _delete(self, conn: Connection, job: J) -> None:
        """Delete a job that has ended, once its files are removed."""

    @abstractmethod
    async def _existing(self, ids: Sequence[UUID]) -> set[UUID]:
        """Return the ids among `ids` that are of jobs."""


def _job_id(folder: str) -> UUID | None:
    """Return the id of the job whose folder has a name; None for other folders."""
    try:
        return UUID(hex=folder)
    except ValueError:
        return None
