"""Correlation rules over a stream of hits (Sigma correlation rules specification 2.1), with bounded state.

A window slides with the hits of a group. When its condition holds there is an alert, and the window begins anew, so
that a hit counts for one alert. What can only be decided at the end (lt, lte, eq, neq) is decided when the timespan
after the first hit of the group has passed, or the stream ends.
"""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from esante.services.soc.detection.correlation_window import Entry, Window
from esante.services.soc.rules.model import AllOf, AnyOf, Correlation, FieldTest, Node
from esante.services.soc.scalars import scalar_texts

MAX_GROUPS = 50_000
"""Groups of a correlation; the one that was begun first gives way."""
MAX_ENTRIES = 200_000
"""Hits that all groups of a correlation keep."""
Group = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CorrelationAlert:
    """A correlation that holds: its group by field, the measured value, and the hits that it rests on."""

    correlation: Correlation
    group: Mapping[str, str]
    value: float
    entries: Sequence[Entry]


class Correlator:
    """The state of all correlations. `dropped`: groups that gave way for want of space, by correlation."""

    def __init__(self, correlations: Iterable[Correlation]) -> None:
        self._by_rule: dict[str, list[_State]] = defaultdict(list)
        self._states = [_State(one) for one in correlations]
        for state in self._states:
            for key in dict.fromkeys(state.correlation.rules):
                self._by_rule[key].append(state)

    @property
    def dropped(self) -> dict[str, int]:
        """How many groups gave way, by key of the correlation."""
        return {state.correlation.key: state.dropped for state in self._states if state.dropped}

    def observe(
        self, rule: str, fields: Mapping[str, Any], time: float, reference: object = None
    ) -> list[CorrelationAlert]:
        """Return the alerts that a hit of a rule, by its key, leads to; those of correlations of correlations too."""
        found: list[CorrelationAlert] = []
        waiting = deque([(rule, fields, time, reference)])
        while waiting:
            key, fields, time, reference = waiting.popleft()
            for state in self._by_rule.get(key, ()):
                for alert in state.observe(key, fields, time, reference):
                    found.append(alert)
                    waiting.append((alert.correlation.key, alert.group, alert.entries[-1].time, alert))
        return found

    def finish(self) -> list[CorrelationAlert]:
        """Return the alerts of windows that wait for their end; the stream is over."""
        return self.advance(float("inf"))

    def advance(self, now: float) -> list[CorrelationAlert]:
        """Return the alerts of windows that waited for their end, and whose timespan has passed at a time."""
        found = []
        for state in self._states:
            for alert in state.advance(now):
                time = alert.entries[-1].time
                found += [alert, *self.observe(alert.correlation.key, alert.group, time, alert)]
        return found


class _State:
    """The windows of one correlation, by group."""

    def __init__(self, correlation: Correlation) -> None:
        self.correlation, self.dropped = correlation, 0
        self._windows: OrderedDict[Group, Window] = OrderedDict()
        self._kept = 0
        self._newest = float("-inf")
        self._at_end = any(one.operator not in ("gt", "gte") for one in correlation.thresholds)
        self._holds = self._temporal() if correlation.type.startswith("temporal") else self._within

    def observe(self, key: str, fields: Mapping[str, Any], time: float, reference: object) -> list[CorrelationAlert]:
        group = self._values(key, fields, self.correlation.group_by)
        values = self._values(key, fields, self.correlation.fields)
        if group is None or values is None:
            return []
        self._newest = max(self._newest, time)
        found = self._ended(self._newest) if self._at_end else []
        window = self._windows.get(group)
        if window is None:
            window = self._windows[group] = Window(self.correlation)
        before = len(window.entries)
        window.add(Entry(time, key, values, reference))
        self._kept += len(window.entries) - before
        if not self._at_end and (entries := self._holds(window)):
            found.append(self._close(group, window, entries))
        while len(self._windows) > MAX_GROUPS or self._kept > MAX_ENTRIES:
            _, oldest = self._windows.popitem(last=False)
            self._kept -= len(oldest.entries)
            self.dropped += 1
        return found

    def advance(self, now: float) -> list[CorrelationAlert]:
        return self._ended(now) if self._at_end else []

    def _ended(self, now: float) -> list[CorrelationAlert]:
        """Return the alerts of the windows whose timespan has passed, and forget those windows."""
        found = []
        while self._windows:
            group, window = next(iter(self._windows.items()))
            if now <= window.entries[0].time + self.correlation.timespan:
                break
            if entries := self._holds(window):
                found.append(self._close(group, window, entries))
            else:
                del self._windows[group]
                self._kept -= len(window.entries)
        return found

    def _close(self, group: Group, window: Window, entries: Sequence[Entry]) -> CorrelationAlert:
        del self._windows[group]
        self._kept -= len(window.entries)
        named = dict(zip(self.correlation.group_by, group, strict=True))
        return CorrelationAlert(self.correlation, named, window.measure(), entries)

    def _values(self, key: str, fields: Mapping[str, Any], names: Sequence[str]) -> Group | None:
        """Return the values of fields, by their aliases; None when one has no value, since the hit is in no group."""
        found = []
        for name in names:
            texts = scalar_texts(fields.get(self.correlation.aliases.get(name, {}).get(key, name)))
            if not texts:
                return None
            found.append(", ".join(texts))
        return tuple(found)

    def _within(self, window: Window) -> Sequence[Entry] | None:
        value = window.measure()
        return tuple(window.entries) if all(one.holds(value) for one in self.correlation.thresholds) else None

    def _temporal(self) -> Callable[[Window], Sequence[Entry] | None]:
        rules, thresholds = self.correlation.rules, self.correlation.thresholds
        if self.correlation.type == "temporal_ordered":
            return lambda window: window.sequence(rules)
        if (node := self.correlation.node) is not None:
            return lambda window: _entries(seen) if _holds(node, seen := window.latest()) else None
        if thresholds:
            return lambda window: (
                _entries(seen) if all(one.holds(float(len(seen := window.latest()))) for one in thresholds) else None
            )
        needed = set(rules)
        return lambda window: _entries(seen) if needed <= (seen := window.latest()).keys() else None


def _entries(seen: Mapping[str, Entry]) -> Sequence[Entry]:
    return sorted(seen.values(), key=lambda one: one.time)


def _holds(node: Node, seen: Mapping[str, Entry]) -> bool:
    match node:
        case AllOf(nodes):
            return all(_holds(one, seen) for one in nodes)
        case AnyOf(nodes):
            return any(_holds(one, seen) for one in nodes)
        case FieldTest(key, _):
            return key in seen
    return False
