"""FHIRPath over plain data: what is found, what is refused, and that the two ways to run a path agree."""

import functools
import gzip
import itertools
from decimal import Decimal

import pytest

from esante.core.fhir import PathError, PathFailed, compile_path, decode
from esante.core.fhir.definitions import invariants, search_parameters
from esante.core.fhir.fhirpath.codegen.source import SourceModule, TypedVariable
from esante.core.fhir.fhirpath.codegen.writer import PathWriter
from esante.core.fhir.fhirpath.parser import parse_path
from esante.core.fhir.fhirpath.spec_expressions import constrained_type, iterate_spec_expressions
from esante.core.fhir.fhirpath.types import lineage
from esante.core.fhir.fhirpath.values.items import Node, root_node, singleton_boolean, type_of
from esante.core.fhir.validation.invariants import NOT_EMPTY
from tests.core.fhir.samples import allergy, changed, document, observation, patient

ABSENT = {"extension": [{"url": "http://x.test/why", "valueCode": "unknown"}]}


def find(expression, resource, **more):
    return compile_path(expression, resource["resourceType"]).evaluate(resource, **more)


def test_elements_come_as_they_are_in_the_json():
    value = {"value": Decimal("4.10"), "unit": "mmol/L"}
    resource = changed(observation(), "valueQuantity", value)
    assert find("Observation.value.ofType(Quantity)", resource) == [value]
    assert str(find("Observation.value.value", resource)[0]) == "4.10"
    assert find("Observation.value.ofType(string)", resource) == []
    assert find("Observation.component.value", resource) == ["clear"]


def test_the_type_of_each_result_is_told():
    path = compile_path("Observation.status | Observation.value | Observation.component.value", "Observation")
    assert [type_ for type_, _ in path.typed(observation())] == ["code", "Quantity", "string"]
    assert compile_path("Observation.effective", "Observation").types == {"dateTime", "Period", "Timing", "instant"}


def test_names_of_other_types_find_nothing():
    union = "AllergyIntolerance.code | AllergyIntolerance.reaction.substance | Observation.code"
    assert find(union, observation()) == [observation()["code"]]
    assert find(union, allergy()) == [allergy()["code"]]


def test_a_primitive_with_extensions_alone_exists_without_a_value():
    resource = changed(changed(patient(), "birthDate", None), "_birthDate", ABSENT)
    del resource["birthDate"]
    assert find("Patient.birthDate", resource) == []
    assert find("Patient.birthDate.exists()", resource) == [True]
    assert find("Patient.birthDate.hasValue()", resource) == [False]
    assert find("Patient.birthDate.extension('http://x.test/why').value", resource) == ["unknown"]


UNKNOWN = {
    "Patient.given": "not an element of Patient",
    "Observation.valueQuantity": "not an element of Observation",
    "(Observation.value as Period).unit": "not an element of Period",
    "Patient.name.where(famly = 'x')": "not an element of HumanName",
    "Patient.name.frist()": "not a function",
    "Patient.name.first(1)": "takes 0 arguments",
    "Patient.ofType(Pacient)": "not a type",
    "Observation.value.ofType(DateTime)": "finds nothing among elements of FHIR",
    "Patient.name.startsWith('x')": "needs a text",
    "'x'.matches('(')": "cannot be read",
    "'x'.memberOf('http://x.test/ValueSet/none')": "does not know the codes",
    "Patient.name.where(": "ends too early",
    "Patient.name 'x'": "Unexpected 'x' (column 14)",
    "Narrative.div": "write `div`",
    "Patient.text.div": "write `div`",
    "@2024-02-30": "not a date",
    "'abc": "no closing quote",
    "'\\q'": "not an escape",
    "descendants().noSuchElement": "No type of FHIR R4",
}


@pytest.mark.parametrize("expression", UNKNOWN)
def test_what_is_not_known_is_refused_when_it_is_compiled(expression):
    type_ = "Observation" if "Observation" in expression else "Patient"
    with pytest.raises(PathError) as told:
        compile_path(expression, type_)
    assert UNKNOWN[expression] in str(told.value)


def test_a_type_that_is_none_is_refused():
    with pytest.raises(PathError, match="not a type"):
        compile_path("id", "Pacient")


FAILING = ["Patient.name.given.single()", "Patient.name.given + 'x'", "1 + 'x'", "%unknown", "(1 | 2).not()"]


@pytest.mark.parametrize("expression", FAILING)
def test_what_cannot_be_worked_out_fails_and_does_not_find_nothing(expression):
    resource = changed(patient(), "name", [{"given": ["A", "B"]}])
    with pytest.raises(PathFailed):
        find(expression, resource)


def test_references_are_resolved_in_the_resource_the_bundle_and_by_the_resolver():
    inner = changed(patient(), "id", "p")
    holder = changed(changed(observation(), "contained", [inner]), "subject", {"reference": "#p"})
    assert find("Observation.subject.resolve()", holder) == [inner]
    assert find("Observation.subject.where(resolve() is Patient)", holder) == [{"reference": "#p"}]
    bundle = document(observation())
    assert find("Bundle.entry[0].resource.subject.resolve().id", bundle) == [patient()["id"]]
    known = {"Patient/p1": patient()}
    assert find("Observation.subject.resolve().id", observation(), resolver=known.get) == ["p1"]
    assert find("Observation.subject.resolve()", observation()) == []


def test_the_type_of_a_target_out_of_reach_is_the_one_that_the_reference_names():
    path = "Observation.subject.where(resolve() is Patient).reference"
    for reference in ("Patient/9", "https://x.test/fhir/Patient/9", "Patient/9/_history/2"):
        assert find(path, changed(observation(), "subject", {"reference": reference})) == [reference]
    assert find(path, changed(observation(), "subject", {"reference": "Group/9"})) == []
    told = {"reference": "urn:uuid:1", "type": "Patient"}
    assert find(path, changed(observation(), "subject", told)) == ["urn:uuid:1"]


def test_a_code_is_looked_up_in_the_value_sets_of_the_definitions():
    genders = "http://hl7.org/fhir/ValueSet/administrative-gender"
    assert find(f"Patient.gender.memberOf('{genders}')", changed(patient(), "gender", "female")) == [True]
    assert find("'zzz'.memberOf(%`vs-administrative-gender`)", patient()) == [False]


def test_variables_are_given_in_the_context():
    path = compile_path("$this.unit = %unit and %resource.status = 'final'", "Quantity")
    value = observation()["valueQuantity"]
    assert path.test(value, context={"resource": observation(), "unit": "mmol/L"})
    assert not path.test(value, context={"resource": observation(), "unit": "g"})


def test_a_condition_that_cannot_be_told_is_not_true():
    assert compile_path("birthDate < @1980-01-01T10:00:00", "Patient").test(changed(patient(), "birthDate", "1970"))
    unknown = compile_path("birthDate < @1980-06-01", "Patient")
    assert not unknown.test(changed(patient(), "birthDate", "1980"))
    assert unknown.evaluate(changed(patient(), "birthDate", "1980")) == []


ARITHMETIC = {
    "1.5 'g' + 500 'mg'": "2.0 'g'",
    "(2 'kg').toQuantity('g')": "2000 'g'",
    "10 '10*3/uL' = 10 '10*9/L'": "True",
    "5 'mmol/L' > 4000 'umol/L'": "True",
    "1 'mg' = 1 'mL'": "",
    "1 '[in_i]' = 2.54 'cm'": "True",
    "120 'mm[Hg]' > 10 'kPa'": "True",
    "37 'Cel' > 36 'Cel'": "True",
    "2147483647 + 1": "",
    "(1 | 2 | 3).aggregate($total + $this, 0)": "6",
    "@2024-01-31 + 1 month": "2024-02-29",
    "@2024-02-29 + 1 year": "2025-02-28",
    "@2024 + 24 months": "2026",
    "@T23:30 + 1 hour": "00:30",
    "@2024-01-01T00:00:00Z - 1 second": "2023-12-31T23:59:59Z",
}


@pytest.mark.parametrize("expression", ARITHMETIC)
def test_calculations(expression):
    assert ", ".join(map(str, find(expression, patient()))) == ARITHMETIC[expression]


def _bundles(shared_data):
    """Every fifth European document and three Synthea bundles."""
    for file in sorted((shared_data / "eu-documents").glob("*/*.json"))[::5]:
        yield decode(file.read_bytes())
    for file in sorted((shared_data / "synthea").glob("*.json.gz"))[:3]:
        yield decode(gzip.decompress(file.read_bytes()))


def test_generated_code_finds_what_the_closures_find(shared_data):
    """Every search parameter over real resources, each of which is evaluated without error."""
    stated = {(base, p.expression) for p in search_parameters() for base in p.base if p.expression}
    found = 0
    for bundle in _bundles(shared_data):
        for resource in (entry["resource"] for entry in bundle["entry"]):
            types = (resource["resourceType"], "DomainResource", "Resource")
            for expression in {e for base, e in stated if base in types}:
                path = compile_path(expression, resource["resourceType"])
                items = path._items(resource, None, None)
                plain = [(type_of(i), i.value if isinstance(i, Node) else i) for i in items]
                assert path.typed(resource) == [pair for pair in plain if pair[1] is not None], expression
                assert path.evaluate(resource) == [value for _, value in path.typed(resource)]
                found += len(plain)
    assert found > 1000


def _as_generated(expression, type_):
    """A function of an element and an `Env`: whether the generated condition is true, and whether it is false."""
    module = SourceModule()
    condition = PathWriter(module).compile_condition(parse_path(expression), TypedVariable("d", type_))
    name = module.function(lambda: module.emit(1, f"return ({condition.true}), ({condition.false})"))
    return module.link()[name]


def test_every_constraint_is_judged_alike_by_closures_and_generated_code(shared_data):
    """On elements of every type that they are about; ele-1, which is about all, by the objects among them."""
    judged = 0
    stated = {
        (i.expression, constrained_type(i)) for i in invariants() if constrained_type(i) not in (None, "Element")
    }
    generated = functools.cache(_as_generated)
    for bundle in itertools.islice(_bundles(shared_data), 0, None, 4):
        for resource in [bundle, *(entry["resource"] for entry in bundle["entry"][:12])]:
            context = {"resource": root_node(resource)}
            nodes: dict[str, list[Node]] = {}
            for node in [root_node(resource), *compile_path("descendants()")._items(resource, None, None)]:
                for type_ in lineage(node.type) if node.value is not None else ():
                    nodes.setdefault(type_, []).append(node)
            for expression, type_ in stated:
                path = compile_path(expression, type_)
                for node in nodes.get(type_, ())[:3]:
                    told = singleton_boolean(path._items(node, context, None), "")
                    found = generated(expression, node.type)(node.value, path._env(node, context, None))
                    assert tuple(map(bool, found)) == (told is True, told is False), (expression, node)
                    judged += 1
    assert judged > 1_000


@pytest.mark.parametrize("value", [{"id": "a"}, {"id": "a", "text": "b"}, {"text": "b"}, {"_text": ABSENT}])
def test_what_is_said_of_every_element_is_what_ele_1_says(value):
    (stated,) = (i for i in invariants() if (i.path, i.key) == ("Element", "ele-1"))
    holds = compile_path(stated.expression, "CodeableConcept").test(value)
    assert holds is bool(eval(NOT_EMPTY, {"d": value}))


def test_every_expression_of_the_definitions_compiles():
    assert (
        len({compile_path(expression, type_).expression for _, expression, type_ in iterate_spec_expressions()}) > 1400
    )


def test_a_resource_of_another_type_is_not_taken_for_the_one_meant():
    assert find("Observation.id", observation()) == [observation()["id"]]
    assert compile_path("Observation.id", "Observation").evaluate(patient()) == []
    assert compile_path("Resource.id", "Resource").evaluate(patient()) == [patient()["id"]]
    assert compile_path("DomainResource.is(Patient)", "DomainResource").evaluate(patient()) == [True]
