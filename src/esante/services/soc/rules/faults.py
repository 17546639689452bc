"""What is wrong with a rule: file, line, reason, remedy."""

from pathlib import Path


class RuleFault(Exception):
    """A rule that cannot be loaded. `line` counts from 1; 0 is the whole file."""

    def __init__(self, path: Path, line: int, reason: str, remedy: str) -> None:
        super().__init__(f"{path}:{line}: {reason}; {remedy}")
        self.path, self.line, self.reason, self.remedy = path, line, reason, remedy

    def __reduce__(self) -> tuple[type["RuleFault"], tuple[Path, int, str, str]]:
        """Return how it is made again in another process."""
        return RuleFault, (self.path, self.line, self.reason, self.remedy)


class Refused(Exception):
    """A part of a rule that cannot be compiled; becomes a `RuleFault` where file and line are known."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy
