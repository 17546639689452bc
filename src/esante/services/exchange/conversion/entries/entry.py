"""An entry: one clinical statement in CDA, one resource in FHIR."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from esante.core.types import Json
from esante.services.exchange.cda import V3
from esante.services.exchange.conversion.datatypes import ReadContext, WriteContext
from esante.services.exchange.conversion.fields import AnyField
from esante.services.exchange.conversion.ledger import Fate
from esante.services.exchange.conversion.nodes import Node
from esante.services.exchange.conversion.paths import find, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How a statement is read and written.

    element    the element of the statement, `inner` the path of the part that is the resource ("" for itself)
    outer      fields of the statement, `fields` those of the inner part
    moods      the moods in which the statement is such a resource; others (planned, wished) are not converted
    subject    the key of the reference to the patient
    defaults   what FHIR requires and the statement may lack
    templates  of the statement and of its inner part
    finish     called with the resource that was read, its statement, the code of the section; False: no such resource
    """

    kind: str
    element: str
    inner: str = ""
    outer: Sequence[AnyField] = ()
    fields: Sequence[AnyField] = ()
    moods: Sequence[str] = ("EVN",)
    subject: str = "subject"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    templates: tuple[Sequence[str], Sequence[str]] = ((), ())
    finish: Callable[[Json, Node, str], bool] | None = None

    def read(self, node: Node, section: str, context: ReadContext) -> list[Json]:
        """Return the resources of a statement: one for each inner part."""
        if node.attributes.get("moodCode", self.moods[0]) not in self.moods:
            node.lose("moodCode", "planned or wished, not done")
            return []
        found = []
        for inner, way in find(node, parse(self.inner)):
            resource: Json = {"resourceType": self.kind}
            for one in self.outer:
                one.read(node, resource, self.kind, context)
            for one in self.fields:
                one.read(inner, resource, self.kind, context)
            if len(resource) == 1 or (self.finish is not None and not self.finish(resource, inner, section)):
                continue
            for step, at in way:
                step.mark(at, self.kind)
            for key, value in self.defaults.items():
                if key not in resource and f"_{key}" not in resource:
                    resource[key] = value
            resource[self.subject] = {"reference": context.patient}
            found.append(resource)
        if found:
            node.take("moodCode", self.kind, Fate.MERGED)
        return found

    def write(self, resource: Json, parent: Any, context: WriteContext) -> bool:
        """Write a resource below an element; tell whether it is about the patient."""
        holder = resource.get(self.subject)
        if not isinstance(holder, dict) or holder.get("reference") != context.subject:
            reason = "about another than the patient of the document"
            context.ledger.mark_all(resource, Fate.DROPPED, "", reason)
            return False
        statement, _ = context.writer.create(parent, parse(self.element))
        context.take(holder, "reference", statement, "", Fate.MERGED)
        context.take(resource, "resourceType", statement, "", Fate.MERGED)
        if "moodCode" in statement.attrib:
            statement.set("moodCode", self.moods[0])
        _templates(statement, self.templates[0])
        inner, _ = context.writer.create(statement, parse(self.inner)) if self.inner else (statement, None)
        if self.inner:
            _templates(inner, self.templates[1])
        for one in self.outer:
            one.write(resource, statement, context)
        for one in self.fields:
            one.write(resource, inner, context)
        for key, value in self.defaults.items():
            if resource.get(key) == value:
                context.ledger.mark(resource, key, Fate.DROPPED, "", "follows from its absence")
        return True


def _templates(element: Any, roots: Sequence[str]) -> None:
    for root in roots:
        etree.SubElement(element, f"{{{V3}}}templateId").set("root", root)
