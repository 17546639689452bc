"""The patterns of syntax trees, and the elements of types, for which Python code is generated."""

from esante.core.fhir.fhirpath.codegen.source import CodegenUnsupported
from esante.core.fhir.fhirpath.model import Call, Infix, Literal, Name, Special, Step, SyntaxTree
from esante.core.fhir.fhirpath.types import Field, Option, fields, lineage, resource_types
from esante.core.fhir.primitives import PRIMITIVES

#: Types of a choice for which code is generated.
MAX_OPTIONS = 8
#: Functions whose result is empty where their input is empty.
_EMPTY_OF_EMPTY = frozenset(
    {"where", "select", "ofType", "as", "trace", "first", "last", "tail", "distinct", "resolve"}
)


def is_two_valued(tree: SyntaxTree) -> bool:
    """Return whether the value of a tree is always true or false, never empty."""
    match tree:
        case Step(_, Call("exists" | "empty" | "all")):
            return True
        case Step(left, Call("not", ())):
            return is_two_valued(left)
    return False


def listed_texts(tree: SyntaxTree) -> list[str]:
    """Return the texts of a union of literals. Raises: `CodegenUnsupported` for any other tree."""
    match tree:
        case Literal(str() as text):
            return [text]
        case Infix("|", left, right):
            return [*listed_texts(left), *listed_texts(right)]
    raise CodegenUnsupported


def path_names(tree: SyntaxTree, type_: str) -> list[str]:
    """Return the names of a plain path from `$this`. Raises: `CodegenUnsupported` for any other tree."""
    match tree:
        case Special("$this"):
            return []
        case Name(name):
            return [] if name == type_ else [name]
        case Step(left, Name(name)):
            return [*path_names(left, type_), name]
    raise CodegenUnsupported


def first_of(tree: SyntaxTree) -> tuple[str, bool] | None:
    """Return the element that `a.….exists()` or `a.….empty()` begins with, and the answer where it is absent."""
    match tree:
        case Step(path, Call("exists", _)):
            of_nothing = False
        case Step(path, Call("empty" | "all" | "allTrue" | "allFalse" | "isDistinct", _)):
            of_nothing = True
        case _:
            return None
    while isinstance(path, Step):
        if isinstance(path.right, Call) and path.right.name not in _EMPTY_OF_EMPTY:
            return None
        path = path.left
    return (path.name, of_nothing) if isinstance(path, Name) and not path.name[:1].isupper() else None


def find_field(type_: str, name: str) -> Field:
    """Return an element of a type; of any resource only if it is the same in all types that have it.

    Raises: `CodegenUnsupported` where there is no such element or several different ones.
    """
    if type_ in PRIMITIVES:
        raise CodegenUnsupported
    holders = sorted(resource_types()) if type_ in ("Resource", "DomainResource") else [type_]
    found = {field for holder in holders for field in [fields(holder).get(name)] if field}
    if len(found) != 1:
        raise CodegenUnsupported
    return found.pop()


def matching_options(field: Field, wanted: str | None) -> tuple[Option, ...]:
    """Return the options of an element that are of a type (None: all). Raises: `CodegenUnsupported`."""
    if wanted is None:
        found = field.options
    elif wanted in PRIMITIVES:
        found = tuple(option for option in field.options if option.type == wanted)
    else:
        found = tuple(option for option in field.options if wanted in lineage(option.type))
    if len(found) > MAX_OPTIONS or (wanted and any(option.type == "Resource" for option in field.options)):
        raise CodegenUnsupported
    return found
