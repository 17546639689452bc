"""FHIRPath (N1, normative 2.0, with the functions of FHIR R4) compiled to Python.

Expressions:

- `compile_path(expression, type_)`: an expression over resources of a type, checked against R4's definitions.
- `CompiledPath`: `evaluate`, `test` and `typed` run it over plain data.
- `PathError`, `PathFailed`: an expression that cannot be used; one that fails on a resource.
- `Quantity`, `Temporal`: results that are calculated. `Node`, `root_node`: elements with their types.
- `iterate_spec_expressions()`: every expression of R4's definitions.

Syntax trees: `parse_path`, `unparse_path`, `split_union`, `compile_tree`; `SyntaxTree` with its node classes. What was
compiled is an `Evaluator`, run on `Items` in a state (`Env`); `constant_value`: of variables with a fixed value.

Generated code: `PathWriter` writes paths and conditions into a `SourceModule`; `generate_path` does so for one path.

Narratives: `has_content`, `has_only_basic_html`, `has_only_xml_entities`, `find_markup_fault`, `find_links`,
`find_anchors`.

Types: `fields`, `lineage`, `resource_types`, `is_domain_resource`, `reference_type`; `measure_ucum` for units.
"""

from esante.core.fhir.fhirpath.codegen import (
    CodegenUnsupported,
    PathWriter,
    SourceModule,
    TypedVariable,
    generate_path,
)
from esante.core.fhir.fhirpath.compiler import compile_tree
from esante.core.fhir.fhirpath.expression import CompiledPath, compile_path
from esante.core.fhir.fhirpath.functions.references import reference_type
from esante.core.fhir.fhirpath.model import (
    Call,
    Infix,
    Literal,
    Name,
    PathError,
    PathFailed,
    Special,
    Step,
    Subscript,
    SyntaxTree,
    TypeTest,
    Variable,
    split_union,
)
from esante.core.fhir.fhirpath.narrative import (
    find_anchors,
    find_links,
    find_markup_fault,
    has_content,
    has_only_basic_html,
    has_only_xml_entities,
)
from esante.core.fhir.fhirpath.parser import parse_path, unparse_path
from esante.core.fhir.fhirpath.runtime import MAX_WORK, Env, Evaluator
from esante.core.fhir.fhirpath.spec_expressions import iterate_spec_expressions
from esante.core.fhir.fhirpath.types import Field, Option, Types, fields, is_domain_resource, lineage, resource_types
from esante.core.fhir.fhirpath.values.items import Items, Node, root_node
from esante.core.fhir.fhirpath.values.quantity import Quantity
from esante.core.fhir.fhirpath.values.temporal import Temporal
from esante.core.fhir.fhirpath.values.units import measure_ucum
from esante.core.fhir.fhirpath.variables import constant_value

__all__ = [
    "MAX_WORK",
    "Call",
    "CodegenUnsupported",
    "CompiledPath",
    "Env",
    "Evaluator",
    "Field",
    "Infix",
    "Items",
    "Literal",
    "Name",
    "Node",
    "Option",
    "PathError",
    "PathFailed",
    "PathWriter",
    "Quantity",
    "SourceModule",
    "Special",
    "Step",
    "Subscript",
    "SyntaxTree",
    "Temporal",
    "TypeTest",
    "TypedVariable",
    "Types",
    "Variable",
    "compile_path",
    "compile_tree",
    "constant_value",
    "fields",
    "find_anchors",
    "find_links",
    "find_markup_fault",
    "generate_path",
    "has_content",
    "has_only_basic_html",
    "has_only_xml_entities",
    "is_domain_resource",
    "iterate_spec_expressions",
    "lineage",
    "measure_ucum",
    "parse_path",
    "reference_type",
    "resource_types",
    "root_node",
    "split_union",
    "unparse_path",
]
