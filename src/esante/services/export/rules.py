"""Pure rules: the files of an export, its progress, and when a client should ask again."""

from collections.abc import Iterable
from datetime import datetime

from esante.services.export.model import ExportFile, Job, Segment

FILE_BYTES = 64 * 1024 * 1024
"""Bytes of NDJSON after which the lines of a type continue in another file."""
MIN_RETRY_SECONDS, MAX_RETRY_SECONDS = 1, 30
"""Bounds of the Retry-After of an export in progress."""


def group_into_files(segments: Iterable[Segment]) -> list[ExportFile]:
    """Return the files of a job: the segments of a kind and type in order, as many as fit into one file."""
    files: list[ExportFile] = []
    open_: dict[tuple[str, str], list[Segment]] = {}
    counts: dict[str, int] = {}
    for segment in segments:
        series = open_.get((segment.kind, segment.type))
        if series is None or sum(one.size for one in series) + segment.size > FILE_BYTES:
            counts[segment.type] = counts.get(segment.type, 0) + 1
            series = open_[segment.kind, segment.type] = []
            name = f"{segment.type}-{counts[segment.type]}.ndjson"
            files.append(ExportFile(name, segment.kind, segment.type, series))
        series.append(segment)
    return sorted(files, key=lambda file: (file.type, len(file.name), file.name))


def percent_done(job: Job, sections: int) -> int:
    """Return the progress of a running job in percent, at most 99; `sections` is their number for each person."""
    part = job.cursor.section / sections if job.cursor.section > 0 else 0.0
    return min(99, int(100 * (job.done + part) / max(1, job.total or 1)))


def retry_after(job: Job, percent: int, now: datetime) -> int:
    """Return the seconds after which a client should ask again for a job that is `percent` done.

    That is a quarter of the time left, but no longer than the job has taken so far, because the first estimates of the
    time left are unreliable.
    """
    spent = (now - job.asked_at).total_seconds()
    left = spent * (100 - percent) / max(1, percent)
    return max(MIN_RETRY_SECONDS, min(MAX_RETRY_SECONDS, round(min(left / 4, spent))))
