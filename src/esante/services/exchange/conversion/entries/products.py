"""Medicines: manufacturedProduct of CDA in both its grammars (read), Medication of FHIR; the newer one is written.

Until wave 3: `containerPackagedMedicine`, `generalizedMedicineClass`, `ingredient/ingredient`; since then
`containerPackagedProduct`, `generalizedMaterialKind`, `ingredient/ingredientSubstance`.
"""

from typing import Any

from esante.core.types import Json
from esante.services.exchange.conversion.datatypes import (
    Amount,
    Concept,
    Moment,
    Proportion,
    ReadContext,
    Words,
    WriteContext,
)
from esante.services.exchange.conversion.datatypes.codes import parent_of
from esante.services.exchange.conversion.entries.named_concepts import NamedConcept
from esante.services.exchange.conversion.fields import AnyField, Custom, Ext, Field, Group, Within
from esante.services.exchange.conversion.ledger import Fate
from esante.services.exchange.conversion.nodes import Node
from esante.services.exchange.conversion.paths import find, parse
from esante.services.exchange.conversion.people import Organizations
from esante.services.exchange.conversion.terms import ABSENT_UNKNOWN, ATC_URI, OWN, TRANSLATION_OF

_CLASS = "p:asSpecializedKind/p:generalizedMaterialKind|generalizedMedicineClass/p:code"
_PACKAGE = f"{OWN}/package"


def _read_code(node: Node, out: Json, place: str, context: ReadContext) -> None:
    """Read product code, class (ATC) and name into one concept; each begins a chain of translations of its own."""
    NamedConcept("code", "name", "code").read(node, out, place, context)
    concept: Json = out.get("code", {})
    for found, way in find(node, parse(_CLASS)):
        kind = Concept().read(found, f"{place}.code", context)
        if kind is None:
            continue
        for step, at in way:
            step.mark(at, f"{place}.code")
        codings: list[Json] = concept.setdefault("coding", [])
        start = len(codings)
        for index, coding in enumerate(kind.get("coding", ())):
            for extension in coding.get("extension", ()):
                if extension["valueInteger"] >= 0:
                    extension["valueInteger"] += start
            implied = coding.get("system") == ATC_URI and start and codings[-1].get("system") != ATC_URI
            if index == 0 and start and "extension" not in coding and not implied:
                coding["extension"] = [{"url": TRANSLATION_OF, "valueInteger": -1}]
            codings.append(coding)
        if not codings:
            del concept["coding"]
        if "text" in kind:
            concept.setdefault("text", kind["text"])
        concept.setdefault("extension", []).extend(kind.get("extension", ()))
        if not concept["extension"]:
            del concept["extension"]
        if concept:
            out["code"] = concept
        return


def _write_code(source: Json, element: Any, context: WriteContext) -> None:
    """Write the codings of ATC as the class, the others as the code of the product, the text as its name."""
    concept = source.get("code")
    if not isinstance(concept, dict):
        return
    codings: list[Json] = list(concept.get("coding", ()))
    chains: list[tuple[list[Json], list[int | None]]] = []
    place: list[tuple[int, int]] = []
    for index, coding in enumerate(codings):
        explicit = any(one.get("url") == TRANSLATION_OF for one in coding.get("extension", ()))
        parent = parent_of(coding, index, element, context)
        classes = coding.get("system") == ATC_URI
        if not explicit and parent is not None and classes != (codings[parent].get("system") == ATC_URI):
            parent = None  # a class is no translation of a product
        if parent is None or not 0 <= parent < index:
            place.append((len(chains), 0))
            chains.append(([coding], [None]))
        else:
            number, at = place[parent]
            place.append((number, len(chains[number][0])))
            chains[number][1].append(at)
            chains[number][0].append(coding)
    written = {True: False, False: False}
    writer = Concept()
    for chain, parents in chains:
        classes = chain[0].get("system") == ATC_URI
        path = _CLASS if classes else "code"
        if written[classes] and not classes:
            parents = [-1 if parent is None else parent for parent in parents]
            made = element.find("{*}code")
        elif written[classes]:
            parents = [-1 if parent is None else parent for parent in parents]
            made = element.find("{*}asSpecializedKind/{*}generalizedMaterialKind/{*}code")
        else:
            made, _ = context.writer.create(element, parse(path))
        written[classes] = True
        writer.write_chain(chain, parents, made, context)
    rest = {name: value for name, value in concept.items() if name == "extension"}
    if rest:
        made, top = (
            (element.find("{*}code"), None) if written[False] else context.writer.create(element, parse("code"))
        )
        if not writer.write({"code": rest}, "code", made, context) and top is not None:
            element.remove(top)
    Field("name", "text", Words()).write(concept, element, context)


class _Package:
    """What a medicine is packed in, package in package, as nested extensions."""

    def __init__(self) -> None:
        self._parts: tuple[AnyField, ...] = (
            Ext("p:quantity", "quantity", "valueQuantity", Amount()),
            Ext(
                "p:containerPackagedProduct|containerPackagedMedicine/p:code",
                "code",
                "valueCodeableConcept",
                Concept(),
            ),
            Ext("p:containerPackagedProduct|containerPackagedMedicine/p:name", "name", "valueString", Words()),
            Ext(
                "p:containerPackagedProduct|containerPackagedMedicine/p:formCode",
                "form",
                "valueCodeableConcept",
                Concept(),
            ),
            Ext(
                "p:containerPackagedProduct|containerPackagedMedicine/p:capacityQuantity",
                "capacity",
                "valueQuantity",
                Amount(),
            ),
        )

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        """Read the packages of a material or of a package."""
        for found, _ in find(node, parse("p:asContent")):
            package: Json = {}
            for part in self._parts:
                part.read(found, package, place, context)
            for inner, _ in find(found, parse("p:containerPackagedProduct|containerPackagedMedicine")):
                self.read(inner, package, place, context)
            if package:
                out.setdefault("extension", []).append({"url": _PACKAGE, "extension": package["extension"]})

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        """Write the packages."""
        for extension in source.get("extension", ()):
            if extension.get("url") != _PACKAGE or "extension" not in extension:
                continue
            made, _ = context.writer.create(element, parse("p:asContent"))
            context.take(extension, "url", made, "", Fate.MERGED)
            for part in self._parts:
                part.write(extension, made, context)
            if any(one.get("url") == _PACKAGE for one in extension["extension"]):
                inner, _ = context.writer.create(made, parse("p:containerPackagedProduct"), fresh=0)
                self.write(extension, inner, context)


_INGREDIENT: tuple[AnyField, ...] = (
    Field("p:quantity", "strength", Proportion()),
    NamedConcept(
        "p:ingredientSubstance|ingredient/p:code", "p:ingredientSubstance|ingredient/p:name", "itemCodeableConcept"
    ),
)


def _read_ingredients(node: Node, out: Json, place: str, context: ReadContext) -> None:
    Group("p:ingredient", "ingredient", _INGREDIENT).read(node, out, place, context)
    for ingredient in out.get("ingredient", ()):
        ingredient.setdefault("itemCodeableConcept", {"extension": [_UNKNOWN]})


_UNKNOWN = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
PRODUCT: tuple[AnyField, ...] = (
    Within(
        "manufacturedMaterial",
        (
            Custom(_read_code, _write_code),
            Group(
                "",
                "batch",
                (Field("lotNumberText", "lotNumber", Words()), Field("p:expirationTime", "expirationDate", Moment())),
                many=False,
            ),
            Ext("p:desc", f"{OWN}/medicine-description", "valueString", Words()),
            Field("p:formCode", "form", Concept()),
            _Package(),
            Custom(_read_ingredients, Group("p:ingredient", "ingredient", _INGREDIENT).write),
        ),
    ),
    Organizations("manufacturerOrganization|marketingAuthorizationHolder", "manufacturer"),
)


class Product:
    """The medicine of a statement: a reference to a Medication, or a concept."""

    def __init__(self, path: str) -> None:
        self._steps = parse(path)

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        """Read the medicine; without one, the code of the statement says that there is none or that it is unknown."""
        for found, way in find(node, self._steps):
            medication: Json = {"resourceType": "Medication"}
            for field in PRODUCT:
                field.read(found, medication, "Medication", context)
            if len(medication) > 1:
                for step, at in way:
                    step.mark(at, f"{place}.medicationReference")
                out["medicationReference"] = {"reference": context.add(medication)}
                return

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        """Write the medicine."""
        medication: Json | None = None
        holder, concept = source.get("medicationReference"), source.get("medicationCodeableConcept")
        if isinstance(holder, dict):
            reference = str(holder.get("reference", ""))
            if reference.startswith("#"):
                contained = (one for one in source.get("contained", ()) if one.get("id") == reference[1:])
                medication = next(contained, None)
                if medication is not None:
                    context.take(holder, "reference", element, "", Fate.MERGED)
                    context.take(medication, "id", element, "", Fate.MERGED)
                    context.take(medication, "resourceType", element, "", Fate.MERGED)
            else:
                medication = context.resolve(holder, element)
            if medication is None and holder.get("display"):
                name, _ = context.writer.create(element, (*self._steps, *parse("manufacturedMaterial/name")))
                name.text = context.take(holder, "display", name)
                return
        elif isinstance(concept, dict) and not is_absent(concept):
            medication = {"code": concept}
        if medication is None or medication.get("resourceType", "Medication") != "Medication":
            return
        made, _ = context.writer.create(element, self._steps)
        for field in PRODUCT:
            field.write(medication, made, context)


def is_absent(concept: Json) -> bool:
    """Whether a concept says that there is no medicine, or that nothing is known of it."""
    codings = concept.get("coding") or [{}]
    return codings[0].get("system") == ABSENT_UNKNOWN or codings[0].get("code") in ("787481004", "1234391000000106")
