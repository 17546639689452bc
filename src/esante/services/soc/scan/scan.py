"""Files of events through the rules of a folder: how many events each rule finds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from esante.core.types import Progress
from esante.services.soc.detection.detector import Detector
from esante.services.soc.rules.model import RuleHead
from esante.services.soc.rules.rule_set import RuleSet
from esante.services.soc.scan.bounds import EventFault
from esante.services.soc.scan.event_files import EventFiles, files_of

STEP = 2_000
"""Events between two movements of the progress bar."""


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Hits of each rule that has any, most first; number of events; what could not be read; groups that gave way."""

    hits: Sequence[tuple[RuleHead, int]]
    events: int
    faults: Sequence[EventFault]
    unlisted: int
    dropped: dict[str, int]


def scan(paths: list[Path], rules: RuleSet, progress: Progress = lambda done, total, step: None) -> ScanResult:
    """Return what the rules find in files and folders of events; they are one stream, in the order given."""
    detector, reader = Detector(rules), EventFiles()
    hits: Counter[RuleHead] = Counter()
    files = files_of(paths)
    sizes = [file.stat().st_size if file.is_file() else 0 for file in files]
    total, done, events = sum(sizes), 0, 0
    for file, size in zip(files, sizes, strict=True):
        position = 0

        def move(reached: int) -> None:
            nonlocal position
            position = reached

        for event in reader.read(file, move):
            events += 1
            hits.update(hit.rule for hit in detector.detect(event))
            if events % STEP == 0:
                progress(done + min(position, size), total, "")
        done += size
        progress(done, total, "")
    hits.update(hit.rule for hit in detector.finish())
    ordered = sorted(hits.items(), key=lambda one: (-one[1], one[0].title, one[0].key))
    return ScanResult(ordered, events, reader.faults, reader.unlisted, detector.dropped)
