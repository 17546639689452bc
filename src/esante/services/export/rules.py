"""Pure decisions: which files there are, how far a job is, when to ask again."""

from collections.abc import Iterable
from datetime import datetime

from esante.services.export.model import File, Job, Segment

FILE_BYTES = 64 * 1024 * 1024
"""Bytes of NDJSON after which the lines of a type go on in another file."""
SHORTEST, LONGEST = 1, 30
"""Seconds after which a client is told to ask again."""

YIELD, LONGEST_PAUSE = 4, 0.25
"""How many times as long as others needed the processor the work waits for them, and the most seconds of that."""
_NOTHING = 0.001


def files(segments: Iterable[Segment]) -> list[File]:
    """The files of a job: segments of a kind and type in their order, as many as go into one."""
    found: list[File] = []
    open_: dict[tuple[str, str], list[Segment]] = {}
    counts: dict[str, int] = {}
    for segment in segments:
        series = open_.get((segment.kind, segment.type))
        if series is None or sum(one.size for one in series) + segment.size > FILE_BYTES:
            counts[segment.type] = counts.get(segment.type, 0) + 1
            series = open_[segment.kind, segment.type] = []
            name = f"{segment.type}-{counts[segment.type]}.ndjson"
            found.append(File(name, segment.kind, segment.type, series))
        series.append(segment)
    return sorted(found, key=lambda file: (file.type, len(file.name), file.name))


def percent(job: Job, sections: int) -> int:
    """How far a job at work is; 100 only when it is through."""
    part = job.cursor.section / sections if job.cursor.section > 0 else 0.0
    return min(99, int(100 * (job.done + part) / max(1, job.total or 1)))


def ask_again(job: Job, done: int, now: datetime) -> int:
    """Seconds after which to ask again for a job that is `done` percent through: a quarter of what is left, but no
    longer than it has taken so far, for at the beginning nobody knows what is left."""
    spent = (now - job.asked_at).total_seconds()
    left = spent * (100 - done) / max(1, done)
    return max(SHORTEST, min(LONGEST, round(min(left / 4, spent))))


def pause(busy: float) -> float:
    """Seconds for which the work lets others go before, who needed the processor for `busy` seconds in one turn."""
    return min(LONGEST_PAUSE, YIELD * busy) if busy > _NOTHING else 0.0
