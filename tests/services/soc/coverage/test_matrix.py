"""Coverage of techniques by rules and log sources."""

import json

from esante.services.soc.coverage.matrix import coverage, navigator_layer
from esante.services.soc.rules.rule_set import load_rules

RULE = """
title: {title}
id: 00000000-0000-0000-0000-0000000000{number:02}
logsource: {{{source}}}
detection: {{a: {{Image: x}}, condition: a}}
tags: [{tags}]
"""


def rules_of(folder, *rows):
    for number, (source, tags) in enumerate(rows):
        (folder / f"{number}.yml").write_text(
            RULE.format(title=f"Rule {number}", number=number, source=source, tags=tags)
        )
    return load_rules(folder).rules


def test_technique_is_seen_where_a_source_sends_what_a_rule_needs(tmp_path):
    rules = rules_of(
        tmp_path,
        ("product: windows, category: process_creation", "attack.execution, attack.t1059.001"),
        ("product: linux", "attack.execution, attack.t1059.001"),
        ("category: proxy", "attack.command-and-control, attack.t1071"),
        ("product: windows", "car.2016-01"),
    )
    found = coverage(rules, {"windows"})
    assert [(one.id, one.rules, one.seeing) for one in found.techniques] == [("T1059.001", 2, 1), ("T1071", 1, 0)]
    assert found.seen == 1
    assert [(tactic, [one.id for one in listed]) for tactic, listed in found.by_tactic()] == [
        ("execution", ["T1059.001"]),
        ("command-and-control", ["T1071"]),
    ]
    assert found.techniques[1].missing == ("application", "files", "syslog")
    assert coverage(rules, set()).seen == 0 and coverage(rules, {"windows", "syslog"}).seen == 2


def test_layer_names_each_technique_with_its_score(tmp_path):
    rules = rules_of(tmp_path, ("product: windows", "attack.t1490"), ("product: linux", "attack.t1070.004"))
    layer = json.loads(navigator_layer(coverage(rules, {"windows"}), "Hôpital"))
    assert layer["domain"] == "enterprise-attack" and layer["versions"]["layer"] == "4.5"
    assert {one["techniqueID"]: one["score"] for one in layer["techniques"]} == {"T1490": 100, "T1070.004": 0}
