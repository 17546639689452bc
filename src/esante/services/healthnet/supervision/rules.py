"""Pure decisions of supervision: when an anomaly begins and when it is over."""

from collections.abc import Iterable, Iterator

from esante.services.healthnet.supervision.model import AnomalyRule, Change, Subject


def is_bad(rule: AnomalyRule, value: float) -> bool:
    """Return whether a value is at the threshold of a rule or beyond."""
    return value <= rule.raise_at if rule.is_below else value >= rule.raise_at


def is_good(rule: AnomalyRule, value: float) -> bool:
    """Return whether a value is on the good side of where an anomaly ends."""
    return value >= rule.end_at if rule.is_below else value <= rule.end_at


class Judge:
    """Follows the measures of all sites and paths: an anomaly is raised once, and ended when it is over.

    Times are seconds since the epoch. A measure that is not known changes nothing.
    """

    def __init__(self, open_subjects: Iterable[Subject] = ()) -> None:
        self.open = set(open_subjects)
        self._since: dict[Subject, float] = {}
        """Since when a measure is such that the state of its subject is about to change."""

    def see(self, subject: Subject, rule: AnomalyRule, value: float | None, at: float) -> Change | None:
        """Take a measure; return what changes."""
        if value is None:
            return None
        is_open = subject in self.open
        if not (is_good(rule, value) if is_open else is_bad(rule, value)):
            if self._since:
                self._since.pop(subject, None)
            return None
        since = self._since.setdefault(subject, at)
        if at - since < (rule.end_after if is_open else rule.raise_after):
            return None
        del self._since[subject]
        if is_open:
            self.open.discard(subject)
        else:
            self.open.add(subject)
        return Change(subject, not is_open, rule.level, value, since)

    def forget(self, sites: set[str]) -> Iterator[Change]:
        """Yield the end of what is open about sites that are not watched any more."""
        for subject in [one for one in self.open if one.site in sites or one.other in sites]:
            self.open.discard(subject)
            yield Change(subject, False, 0, 0.0, 0.0)
        for subject in [one for one in self._since if one.site in sites or one.other in sites]:
            del self._since[subject]


def increase(before: int | None, now: int | None) -> int:
    """Return by how much a counter grew: all of it after it began anew, nothing for one that was not known before."""
    if before is None or now is None:
        return 0
    return now - before if now >= before else now
