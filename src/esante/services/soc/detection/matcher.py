"""Events matched against a set of rules as a stream."""

from collections.abc import Sequence
from typing import Any

from esante.services.soc.detection.event_fields import Fields, fields_of, origin_of
from esante.services.soc.detection.log_sources import Origin, admits, field_names
from esante.services.soc.detection.plan import Plan
from esante.services.soc.rules.model import AllOf, AnyOf, FieldTest, Node, Rule, Text
from esante.services.soc.rules.patterns import text_predicate

MAX_ORIGINS = 4_096
"""Origins of events whose plan is remembered; more make it forget them."""


class Matcher:
    """Rules compiled for the origins of events as they appear; the same selection of rules is compiled once."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._sources = sorted({rule.log_source for rule in rules}, key=repr)
        self._by_origin: dict[Origin, Plan] = {}
        self._plans: dict[tuple[tuple[int, ...], tuple[tuple[str, str], ...]], Plan] = {}

    def match(self, event: dict[str, Any]) -> list[Rule]:
        """Return the rules that an event, as it was collected, meets."""
        return self.match_fields(fields_of(event))

    def match_fields(self, fields: Fields) -> list[Rule]:
        """Return the rules that the fields of an event (`fields_of`) meet."""
        origin = origin_of(fields)
        plan = self._by_origin.get(origin)
        if plan is None:
            if len(self._by_origin) >= MAX_ORIGINS:
                self._by_origin.clear()
            plan = self._by_origin[origin] = self._plan(origin)
        return plan.match(fields)

    def _plan(self, origin: Origin) -> Plan:
        """Return the plan of an origin. How many there can be is bounded by the channels and event ids in rules."""
        sources = frozenset(source for source in self._sources if admits(source, origin))
        names = field_names(sources, origin)
        identified = origin.channel and origin.event_id
        rules = tuple(
            number
            for number, rule in enumerate(self._rules)
            if rule.log_source in sources and not (identified and _excludes(rule.node, origin.event_id))
        )
        key = rules, tuple(sorted(names.items()))
        if key not in self._plans:
            self._plans[key] = Plan([self._rules[number] for number in rules], names)
        return self._plans[key]


def _excludes(node: Node, event_id: str) -> bool:
    """Whether a node cannot hold for events of an id."""
    match node:
        case AllOf(nodes):
            return any(_excludes(one, event_id) for one in nodes)
        case AnyOf(nodes):
            return all(_excludes(one, event_id) for one in nodes)
        case FieldTest("EventID", Text() as text):
            return not text_predicate(text)(event_id)
    return False
