"""Why a rule found an event: the values that met it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from esante.services.soc.detection.event_fields import Fields, fields_of, leaf_values, origin_of
from esante.services.soc.detection.log_sources import field_names
from esante.services.soc.rules.model import AllOf, AnyOf, Cidr, Compare, FieldTest, Node, Not, Regex, Rule, Text
from esante.services.soc.rules.patterns import predicate
from esante.services.soc.scalars import scalar_texts

MAX_VALUE = 500
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A field of an event ("" for a keyword) and its value, which a part of a rule asks for."""

    field: str
    value: str


def evidence_of(rule: Rule, event: dict[str, Any]) -> list[Evidence]:
    """Return the values of an event, as it was collected, that the parts of a rule ask for; each once.

    Parts under a `not` say what is absent and give none.
    """
    fields = fields_of(event)
    names = field_names([rule.log_source], origin_of(fields))
    fields = {**{name: fields[known] for name, known in names.items() if known in fields}, **fields}
    found = (Evidence(test.field, value[:MAX_VALUE]) for test in _tests(rule.node) for value in _values(test, fields))
    return list(dict.fromkeys(found))


def _tests(node: Node) -> Iterator[FieldTest]:
    match node:
        case FieldTest():
            yield node
        case AllOf(nodes) | AnyOf(nodes):
            for one in nodes:
                yield from _tests(one)
        case Not():
            return


def _values(test: FieldTest, fields: Fields) -> list[str]:
    texts = scalar_texts(fields.get(test.field) if test.field else list(leaf_values(fields)))
    if isinstance(test.value, Text | Regex | Cidr | Compare):
        return list(filter(predicate(test.value), texts))
    return []
