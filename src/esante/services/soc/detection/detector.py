"""A stream of events through rules and correlations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from esante.services.soc.detection.correlation import Correlator
from esante.services.soc.detection.correlation_window import Entry
from esante.services.soc.detection.event_fields import fields_of, time_of
from esante.services.soc.detection.matcher import Matcher
from esante.services.soc.rules.model import RuleHead
from esante.services.soc.rules.rule_set import RuleSet


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that an event met, or a correlation that it completed, with its group and the hits that it rests on."""

    rule: RuleHead
    group: Mapping[str, str] = field(default_factory=dict)
    entries: Sequence[Entry] = ()


class Detector:
    """Rules and correlations with their state. One stream of events, in about the order of their times."""

    def __init__(self, rules: RuleSet) -> None:
        self._matcher = Matcher(rules.rules)
        self._correlator = Correlator(rules.correlations)
        self._correlated = {key for one in rules.correlations for key in one.rules}
        self._silent = self._correlated - {key for one in rules.correlations if one.generate for key in one.rules}
        self._last = 0.0

    @property
    def dropped(self) -> dict[str, int]:
        """How many groups of correlations gave way for want of space, by key of the correlation."""
        return self._correlator.dropped

    def detect(self, event: dict[str, Any], *, time: float | None = None, reference: object = None) -> list[Hit]:
        """Return what an event leads to.

        A rule that a correlation uses gives no hit of its own, unless the correlation says `generate: true`. `time`
        in seconds of Unix; when not given it is that of the event, or of the one before. `reference` is what the
        entries of correlations call the event.
        """
        fields = fields_of(event)
        matched = self._matcher.match_fields(fields)
        if not matched:
            return []
        hits = [Hit(rule) for rule in matched if rule.key not in self._silent]
        for rule in matched:
            if rule.key in self._correlated:
                when = time if time is not None else time_of(fields)
                self._last = self._last if when is None else when
                found = self._correlator.observe(rule.key, fields, self._last, reference)
                hits += [Hit(one.correlation, one.group, one.entries) for one in found]
        return [hit for hit in hits if hit.rule.key not in self._silent]

    def finish(self) -> list[Hit]:
        """Return the hits of correlations that are decided by the end of the stream."""
        found = self._correlator.finish()
        return [
            Hit(one.correlation, one.group, one.entries) for one in found if one.correlation.key not in self._silent
        ]
