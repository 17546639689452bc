"""Compilation of syntax trees to Python source code over plain dicts.

A path becomes nested loops over the JSON properties that the definitions name for it; a condition becomes a pair of
Python conditions, one for true and one for false (neither: FHIRPath's empty). Expressions that are not supported here
are left to the closures of `compiler`: a whole path (`CodegenUnsupported`), or one part of a condition.
"""

from collections.abc import Callable

from esante.core.fhir.fhirpath.codegen.patterns import (
    find_field,
    first_of,
    is_two_valued,
    listed_texts,
    matching_options,
    path_names,
)
from esante.core.fhir.fhirpath.codegen.source import CodegenUnsupported, PythonCondition, SourceModule, TypedVariable
from esante.core.fhir.fhirpath.compiler import compile_tree
from esante.core.fhir.fhirpath.model import Call, Infix, Literal, Name, Special, Step, SyntaxTree, TypeTest, Variable
from esante.core.fhir.fhirpath.types import (
    SYSTEM_OF,
    Field,
    Option,
    is_fhir_type,
    lineage,
    resolve_type_name,
)
from esante.core.fhir.fhirpath.variables import constant_value
from esante.core.fhir.primitives import PRIMITIVES

_NUMBERS = frozenset({"integer", "unsignedInt", "positiveInt", "decimal"})
_TEXTS = frozenset(name for name, system in SYSTEM_OF.items() if system == "System.String")
_COMPARISONS = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

_Continuation = Callable[[TypedVariable, int], None]


class PathWriter:
    """Writes paths and conditions into a module."""

    def __init__(self, module: SourceModule) -> None:
        self._module = module
        self._emit = module.emit

    def write_loops(self, tree: SyntaxTree, this: TypedVariable, indent: int, then: _Continuation) -> None:
        """Write loops over the results of a path; `then` writes their body for the variable of one result.

        Raises: `CodegenUnsupported`.
        """
        match tree:
            case Special("$this"):
                then(this, indent)
            case Name(name) if name[:1].isupper() and is_fhir_type(name):
                if name in lineage(this.type):
                    then(this, indent)
                elif this.type in lineage(name) or this.type == "Resource":
                    raise CodegenUnsupported
            case Name(name):
                self._write_field(this, name, None, indent, then)
            case Step(left, Name(name)):
                self.write_loops(
                    left, this, indent, lambda variable, at: self._write_field(variable, name, None, at, then)
                )
            case TypeTest("as", operand, name) | Step(operand, Call("as", (Name(name),))) if not self._may_be_many(
                operand, this
            ):
                self._write_choice(operand, resolve_type_name(name), this, indent, then)
            case Step(operand, Call("ofType", (Name(name),))):
                self._write_choice(operand, resolve_type_name(name), this, indent, then)
            case Step(left, Call("where", (criteria,))):
                self.write_loops(
                    left, this, indent, lambda variable, at: self._write_where(variable, criteria, at, then)
                )
            case Call("where" | "ofType"):
                self.write_loops(Step(Special("$this"), tree), this, indent, then)
            case _:
                raise CodegenUnsupported

    def _write_where(self, variable: TypedVariable, criteria: SyntaxTree, indent: int, then: _Continuation) -> None:
        if variable.type in PRIMITIVES:
            raise CodegenUnsupported
        self._write_block(
            indent, f"if {self.compile_condition(criteria, variable).true}:", lambda at: then(variable, at)
        )

    def _write_choice(
        self, operand: SyntaxTree, wanted: str | None, this: TypedVariable, indent: int, then: _Continuation
    ) -> None:
        """Write loops over the values of one type of a choice."""
        match operand:
            case Name(name) if not name[:1].isupper():
                self._write_field(this, name, wanted, indent, then)
            case Step(left, Name(name)):
                self.write_loops(
                    left, this, indent, lambda variable, at: self._write_field(variable, name, wanted, at, then)
                )
            case _:
                raise CodegenUnsupported

    def _write_block(self, indent: int, header: str, body: Callable[[int], None]) -> None:
        self._emit(indent, header)
        body(indent + 1)
        self._emit(indent + 1, "pass")

    def _write_field(
        self, owner: TypedVariable, name: str, wanted: str | None, indent: int, then: _Continuation
    ) -> None:
        field = find_field(owner.type, name)
        for option in matching_options(field, wanted):
            value = self._module.name("v")
            self._emit(indent, f"{value} = {owner.name}.get({option.name!r})")
            self._write_block(indent, f"if {value} is not None:", self._value_writer(value, option, field, then))

    def _value_writer(self, value: str, option: Option, field: Field, then: _Continuation) -> Callable[[int], None]:
        if not field.many:
            return lambda at: then(TypedVariable(value, option.type), at)
        one = self._module.name("v")
        inner: Callable[[int], None] = lambda at: then(TypedVariable(one, option.type), at)  # noqa: E731
        if option.type in PRIMITIVES:
            filtered = inner
            inner = lambda at: self._write_block(at, f"if {one} is not None:", filtered)  # noqa: E731
        return lambda at: self._write_block(at, f"for {one} in {value}:", inner)

    def compile_condition(self, tree: SyntaxTree, this: TypedVariable) -> PythonCondition:
        """Return the Python conditions of an expression about `this`; unsupported parts are evaluated by closures."""
        try:
            return self._compile_known_condition(tree, this)
        except CodegenUnsupported:
            return self._condition_by_closures(tree, this)

    def _compile_known_condition(self, tree: SyntaxTree, this: TypedVariable) -> PythonCondition:
        match tree:
            case Literal(bool() as value):
                return PythonCondition(str(value), str(not value))
            case Infix("and" | "or" | "xor" | "implies" as operator, left, right):
                return _combine(operator, self.compile_condition(left, this), self.compile_condition(right, this))
            case Step(left, Call("not", ())):
                return self.compile_condition(left, this).negated()
            case Step(left, Call("exists", ())):
                return _two_valued(self._existence_test(left, this))
            case Step(left, Call("exists", (criteria,))):
                return _two_valued(self._existence_test(Step(left, Call("where", (criteria,))), this))
            case Step(left, Call("empty", ())):
                return _two_valued(self._existence_test(left, this)).negated()
            case Step(left, Call("all", (criteria,))):
                failing = Step(left, Call("where", (criteria,)))
                return _two_valued(self._existence_test(failing, this, opposite=True)).negated()
            case Step(left, Call("hasValue", ())):
                return _two_valued(f"{self._single_value(left, this, frozenset(PRIMITIVES))} is not None")
            case TypeTest("is", operand, name):
                return self._type_test(operand, name, this)
            case Infix(operator, left, right) if operator in _COMPARISONS:
                return self._comparison(operator, left, right, this)
            case Infix("in", left, right):
                listed = frozenset(listed_texts(right))
                code = self._single_value(left, this, _TEXTS)
                codes = self._module.name("c", listed)
                return PythonCondition(f"({code} in {codes})", f"({code} is not None and {code} not in {codes})")
            case Step(left, Call("startsWith" | "endsWith" as function, (Literal(str() as text),))):
                code = self._single_value(left, this, _TEXTS)
                call = f"{code}.{function.lower()}({text!r})"
                return PythonCondition(f"({code} is not None and {call})", f"({code} is not None and not {call})")
            case Call("exists" | "empty" | "all" | "startsWith"):
                return self._compile_known_condition(Step(Special("$this"), tree), this)
            case Name() | Step(_, Name()):
                code = self._single_value(tree, this, frozenset({"boolean"}))
                return PythonCondition(f"({code} is True)", f"({code} is False)")
        raise CodegenUnsupported

    def _condition_by_closures(self, tree: SyntaxTree, this: TypedVariable) -> PythonCondition:
        self._module.needs_env = True
        run = self._module.name("r", compile_tree(tree, frozenset({this.type})).run)
        call = f"slow({run}, {this.name}, {this.type!r}, env)"
        first = first_of(tree)
        try:
            there = self._presence_test(this, first[0]) if first else ""
        except CodegenUnsupported:
            there = ""
        if first is None or not there:
            return PythonCondition(f"({call} is True)", f"({call} is False)")
        of_nothing = first[1]
        # Without the first element the answer is known: the closure need not run.
        if of_nothing:
            return PythonCondition(f"(not {there} or {call} is True)", f"({there} and {call} is False)")
        return PythonCondition(f"({there} and {call} is True)", f"(not {there} or {call} is False)")

    def _existence_test(self, tree: SyntaxTree, this: TypedVariable, *, opposite: bool = False) -> str:
        """Return a Python condition: whether a path has a result, which may be the extensions of a primitive alone.

        With `opposite`, whether the last `where` of the path excludes something.
        """
        if isinstance(tree, Name) and not tree.name[:1].isupper():
            return self._presence_test(this, tree.name)

        def write() -> None:
            self._write_until_found(tree, TypedVariable("d", this.type), opposite)
            self._emit(1, "return False")

        return f"{self._module.function(write, 'has')}({this.name}, env)"

    def _write_until_found(self, tree: SyntaxTree, this: TypedVariable, opposite: bool) -> None:
        found: _Continuation = lambda _, at: self._emit(at, "return True")  # noqa: E731
        match tree:
            case Step(left, Name(name)):
                self.write_loops(
                    left, this, 1,
                    lambda owner, at: self._write_block(
                        at, f"if {self._presence_test(owner, name)}:", lambda inner: self._emit(inner, "return True")
                    ),
                )  # fmt: skip
            case Step(left, Call("where", (criteria,))) if opposite:

                def failing(variable: TypedVariable, at: int) -> None:
                    if variable.type in PRIMITIVES:
                        raise CodegenUnsupported
                    holds = self.compile_condition(criteria, variable).true
                    self._write_block(at, f"if not ({holds}):", lambda inner: self._emit(inner, "return True"))

                self.write_loops(left, this, 1, failing)
            case _:
                self.write_loops(tree, this, 1, found)

    def _presence_test(self, owner: TypedVariable, name: str) -> str:
        """Return a Python condition: whether an element, or the extensions of a primitive alone, are present."""
        options = find_field(owner.type, name).options
        names = [n for option in options for n in (option.name, option.extensions) if n]
        if len(names) <= 2:
            return "(" + " or ".join(f"{n!r} in {owner.name}" for n in names) + ")"
        return f"(not {self._module.name('n', frozenset(names))}.isdisjoint({owner.name}))"

    def _may_be_many(self, tree: SyntaxTree, this: TypedVariable) -> bool:
        """Return whether a path may have more than one result."""
        try:
            self._single_value(tree, this, None)
        except CodegenUnsupported:
            return True
        return False

    def _single_value(self, tree: SyntaxTree, this: TypedVariable, types: frozenset[str] | None) -> str:
        """Return a Python expression for the single value of a path of single elements, None where it has none.

        Raises: `CodegenUnsupported` for a path that may have several, or that leads to another type than `types`.
        """
        names = path_names(tree, this.type)
        code, type_ = this.name, this.type
        for position, name in enumerate(names):
            field = find_field(type_, name)
            if field.many or (len(field.options) > 1 and types is not None):
                raise CodegenUnsupported
            option = field.options[0]
            code = f"{code}.get({option.name!r})" if not position else f"({code} or nothing).get({option.name!r})"
            type_ = option.type
        if not names or (types is not None and type_ not in types):
            raise CodegenUnsupported
        return code

    def _type_test(self, operand: SyntaxTree, name: str, this: TypedVariable) -> PythonCondition:
        wanted = resolve_type_name(name)
        match operand:
            case Call("resolve", ()) if this.type == "Reference" and wanted:
                self._module.needs_env = True
                call = f"leads({this.name}, env, {wanted!r})"
                return PythonCondition(f"({call} is True)", f"({call} is False)")
            case Name(element) if wanted and not element[:1].isupper():
                field = find_field(this.type, element)
                if field.many or len(field.options) == 1:
                    raise CodegenUnsupported
                fitting = [o for o in field.options if wanted in lineage(o.type)]
                has = " or ".join(f"{n!r} in {this.name}" for o in fitting for n in (o.name, o.extensions) if n)
                return PythonCondition(
                    f"({has or False})", f"({self._presence_test(this, element)} and not ({has or False}))"
                )
        raise CodegenUnsupported

    def _comparison(self, operator: str, left: SyntaxTree, right: SyntaxTree, this: TypedVariable) -> PythonCondition:
        match right:
            case Literal(str() as text) if operator in ("=", "!="):
                return _equality(operator, self._single_value(left, this, _TEXTS), repr(text))
            case Variable(name) if constant_value(name) is not None and operator in ("=", "!="):
                return _equality(operator, self._single_value(left, this, _TEXTS), repr(constant_value(name)))
            case Literal(bool() as truth_) if operator in ("=", "!="):
                return _equality(operator, self._single_value(left, this, frozenset({"boolean"})), repr(truth_))
            case Literal(int() as number) if not isinstance(left, Infix | Step):
                value = self._single_value(left, this, _NUMBERS)
                there, holds = f"{value} is not None", f"{value} {_COMPARISONS[operator]} {number}"
                return PythonCondition(f"({there} and {holds})", f"({there} and not {holds})")
        if is_two_valued(left) and is_two_valued(right) and operator in ("=", "!="):
            one, other = self._compile_known_condition(left, this), self._compile_known_condition(right, this)
            return _two_valued(f"({one.true}) {'is' if operator == '=' else 'is not'} ({other.true})")
        sums = self._integer_expression(left, this), self._integer_expression(right, this)
        return _two_valued(f"{sums[0]} {_COMPARISONS[operator]} {sums[1]}")

    def _integer_expression(self, tree: SyntaxTree, this: TypedVariable) -> str:
        match tree:
            case Literal(int() as value) if not isinstance(value, bool):
                return repr(value)
            case Infix("+", left, right):
                return f"({self._integer_expression(left, this)} + {self._integer_expression(right, this)})"
            case Step(left, Call("count", ())):
                return self._count_expression(left, this)
        raise CodegenUnsupported

    def _count_expression(self, tree: SyntaxTree, this: TypedVariable) -> str:
        match tree:
            case Name(name) if not name[:1].isupper():
                field = find_field(this.type, name)
                if not field.many:
                    return f"({self._presence_test(this, name)})"
                option = field.options[0]
                one = f"len({this.name}.get({option.name!r}) or ())"
                extra = f"len({this.name}.get({option.extensions!r}) or ())"
                return f"max({one}, {extra})" if option.extensions else one
        raise CodegenUnsupported


def _combine(operator: str, left: PythonCondition, right: PythonCondition) -> PythonCondition:
    match operator:
        case "and":
            return PythonCondition(f"({left.true} and {right.true})", f"({left.false} or {right.false})")
        case "or":
            return PythonCondition(f"({left.true} or {right.true})", f"({left.false} and {right.false})")
        case "implies":
            return PythonCondition(f"({left.false} or {right.true})", f"({left.true} and {right.false})")
        case _:
            return PythonCondition(
                f"(({left.true} and {right.false}) or ({left.false} and {right.true}))",
                f"(({left.true} and {right.true}) or ({left.false} and {right.false}))",
            )


def _two_valued(code: str) -> PythonCondition:
    return PythonCondition(f"({code})", f"(not ({code}))")


def _equality(operator: str, value: str, literal: str) -> PythonCondition:
    same = PythonCondition(f"({value} == {literal})", f"({value} not in (None, {literal}))")
    return same if operator == "=" else same.negated()
