"""The rules of the stream, compiled: what an event meets, what alerts by itself, what is correlated."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from esante.services.soc.detection.matcher import Matcher
from esante.services.soc.rules.model import Rule
from esante.services.soc.rules.rule_set import RuleSet


class StreamRules:
    """A set of rules for the events of all members; it holds no state of any of them."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self._matcher = Matcher(rules.rules)
        self.correlated = {key for one in rules.correlations for key in one.rules}
        self.silent = self.correlated - {key for one in rules.correlations if one.generate for key in one.rules}
        self._looked_at: dict[str, set[str]] = defaultdict(set)
        for one in rules.correlations:
            for key in one.rules:
                names = [*one.group_by, *one.fields]
                self._looked_at[key] |= {one.aliases.get(name, {}).get(key, name) for name in names}

    def match(self, fields: Mapping[str, Any]) -> Sequence[Rule]:
        """Return the rules that the fields of an event meet."""
        return self._matcher.match_fields(dict(fields) if type(fields) is not dict else fields)

    def correlated_fields(self, rule: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of an event that correlations of a rule look at."""
        return {name: fields[name] for name in self._looked_at[rule] if name in fields}
