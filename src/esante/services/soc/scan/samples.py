"""Rules with the samples that prove them: a rule is admitted only when a positive and a negative sample hold.

Beside `name.yml` stand `name.positive.*` and `name.negative.*`, in any format of events. Each rule of the file must
find one of the positive events, each positive event must be found by one of the rules, and no rule of the file finds
a negative one. Events for a file with a correlation are one stream: the positive one completes it, the negative one
does not, though it may hold events that the rules find which are correlated.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from esante.services.soc.detection.detector import Detector
from esante.services.soc.rules.faults import Refused, RuleFault
from esante.services.soc.rules.model import Correlation, Rule
from esante.services.soc.rules.rule_set import RuleSet, load_rules
from esante.services.soc.scan.event_files import EventFiles

POSITIVE, NEGATIVE = "positive", "negative"


def load_admitted_rules(folder: Path) -> RuleSet:
    """Return the rules of a folder whose samples hold; for all others a fault says why they are not admitted."""
    loaded = load_rules(folder)
    files: dict[Path, list[Rule | Correlation]] = defaultdict(list)
    for one in _all(loaded):
        files[one.path].append(one)
    faults = list(loaded.faults)
    admitted: set[str] = set()
    for path, heads in files.items():
        try:
            _check(path, heads, loaded)
        except Refused as error:
            faults += [RuleFault(path, one.line, f"{one.title}: {error.reason}", error.remedy) for one in heads]
        else:
            admitted |= {one.key for one in heads}
    correlations = []
    for correlation in loaded.correlations:
        if correlation.key in admitted and not admitted.issuperset(correlation.rules):
            admitted.remove(correlation.key)
            reason = f"{correlation.title}: correlates a rule that is not admitted"
            faults.append(RuleFault(correlation.path, correlation.line, reason, "give that rule samples that hold"))
        if correlation.key in admitted:
            correlations.append(correlation)
    return RuleSet([rule for rule in loaded.rules if rule.key in admitted], correlations, faults)


def _all(loaded: RuleSet) -> list[Rule | Correlation]:
    return [*loaded.rules, *loaded.correlations]


def _check(path: Path, heads: list[Rule | Correlation], loaded: RuleSet) -> None:
    """Raise `Refused` when a sample of a file of rules is absent or does not hold."""
    needed, own = _with_what_they_need(heads, loaded), {one.key for one in heads}
    missed = set(own)
    plain = all(isinstance(one, Rule) for one in heads)
    for number, event_hits in enumerate(_hits(needed, _events(path, POSITIVE)), 1):
        missed -= event_hits
        if plain and not event_hits & own:
            raise Refused(f"positive event {number} is not found", "mend the rule or the sample")
    if missed:
        raise Refused(f"no positive event is found by {', '.join(sorted(missed))}", "mend the rule or the sample")
    for number, event_hits in enumerate(_hits(needed, _events(path, NEGATIVE)), 1):
        if found := event_hits & {one.key for one in heads if plain or isinstance(one, Correlation)}:
            raise Refused(
                f"negative event {number} is found by {', '.join(sorted(found))}", "mend the rule or the sample"
            )


def _hits(rules: RuleSet, events: list[dict[str, Any]]) -> list[set[str]]:
    """Return the keys of the rules that each event is found by, and last those at the end of the stream."""
    detector = Detector(rules)
    found = [{hit.rule.key for hit in detector.detect(event)} for event in events]
    found[-1] |= {hit.rule.key for hit in detector.finish()}
    return found


def _with_what_they_need(heads: Iterable[Rule | Correlation], loaded: RuleSet) -> RuleSet:
    """Return rules with those that they correlate, each of which shows its hits."""
    known: dict[str, Rule | Correlation] = {one.key: one for one in _all(loaded)}
    waiting, found = [one.key for one in heads], dict[str, Rule | Correlation]()
    while waiting:
        key = waiting.pop()
        if key not in found:
            one = found[key] = known[key]
            waiting += one.rules if isinstance(one, Correlation) else ()
    correlations = [replace(one, generate=True) for one in loaded.correlations if one.key in found]
    return RuleSet([one for one in loaded.rules if one.key in found], correlations, [])


def _events(path: Path, kind: str) -> list[dict[str, Any]]:
    reader, events = EventFiles(), list[dict[str, Any]]()
    for sample in sorted(path.parent.glob(f"{path.stem}.{kind}.*")):
        events += reader.read(sample)
    if reader.faults:
        raise Refused(f"a {kind} sample cannot be read ({reader.faults[0]})", "mend the sample")
    if not events:
        raise Refused(f"has no {kind} sample", f"write an event to {path.stem}.{kind}.json beside the rule")
    return events
