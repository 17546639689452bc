"""Parsing of FHIRPath expressions to syntax trees, and back to text (grammar: FHIRPath N1, appendix B)."""

from decimal import Decimal

from esante.core.fhir.fhirpath.lexer import Token, quote, tokenize
from esante.core.fhir.fhirpath.model import (
    Call,
    Infix,
    Literal,
    Name,
    PathError,
    Sign,
    Special,
    Step,
    Subscript,
    SyntaxTree,
    TypeTest,
    Variable,
)
from esante.core.fhir.fhirpath.values.quantity import CALENDAR_UNITS, Quantity
from esante.core.fhir.fhirpath.values.temporal import Temporal

#: Levels of a tree; the deepest in R4's definitions has 35.
MAX_DEPTH = 120

#: The precedence of each operator; all are left-associative.
_BINDING = {
    **dict.fromkeys(("*", "/", "div", "mod"), 9),
    **dict.fromkeys(("+", "-", "&"), 8),
    **dict.fromkeys(("is", "as"), 7),
    "|": 6,
    **dict.fromkeys(("<", "<=", ">", ">="), 5),
    **dict.fromkeys(("=", "~", "!=", "!~"), 4),
    **dict.fromkeys(("in", "contains"), 3),
    "and": 2,
    **dict.fromkeys(("or", "xor"), 1),
    "implies": 0,
}
_UNARY = 10
#: Words that need backticks to name an element.
RESERVED = frozenset({"and", "or", "xor", "implies", "div", "mod", "true", "false"})
_WORDS = frozenset(word for word in _BINDING if word.isalpha())


def parse_path(text: str) -> SyntaxTree:
    """Parse an expression to its syntax tree. Raises: `PathError` with the column."""
    return _Parser(tokenize(text)).parse_all()


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0
        self._open = 0

    def parse_all(self) -> SyntaxTree:
        tree, _ = self._expression(0)
        if self._peek.kind != "end":
            raise self._unexpected()
        return tree

    @property
    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _is(self, *symbols: str) -> bool:
        return self._peek.kind == "symbol" and self._peek.value in symbols

    def _expect(self, symbol: str) -> None:
        if not self._is(symbol):
            raise self._unexpected(f"; expected '{symbol}'")
        self._at += 1

    def _unexpected(self, hint: str = "") -> PathError:
        token = self._peek
        what = "The expression ends too early" if token.kind == "end" else f"Unexpected {str(token.value)[:60]!r}"
        return PathError(what + hint, token.column)

    def _check_depth(self, *depths: int) -> int:
        """Return the depth of a node above others. Raises: `PathError` beyond `MAX_DEPTH`."""
        depth = 1 + max(depths, default=0)
        if depth > MAX_DEPTH:
            raise PathError(f"The expression is nested more deeply than {MAX_DEPTH} levels", self._peek.column)
        return depth

    def _expression(self, minimum: int) -> tuple[SyntaxTree, int]:
        self._open += 1
        self._check_depth(self._open)
        left, depth = self._unary()
        while True:
            token = self._peek
            operator = token.value if token.kind in ("symbol", "name") else None
            if not isinstance(operator, str) or _BINDING.get(operator, -1) < minimum:
                self._open -= 1
                return left, depth
            self._at += 1
            if operator in ("is", "as"):
                left, depth = TypeTest(operator, left, self._type(), token.column), self._check_depth(depth)
                continue
            right, right_depth = self._expression(_BINDING[operator] + 1)
            left, depth = Infix(operator, left, right, token.column), self._check_depth(depth, right_depth)

    def _unary(self) -> tuple[SyntaxTree, int]:
        if self._is("+", "-"):
            token = self._next()
            operand, depth = self._expression(_UNARY)
            return Sign(str(token.value), operand, token.column), self._check_depth(depth)
        return self._postfix()

    def _postfix(self) -> tuple[SyntaxTree, int]:
        tree, depth = self._term()
        while True:
            if self._is("."):
                self._at += 1
                right, right_depth = self._invocation()
                tree, depth = Step(tree, right), self._check_depth(depth, right_depth)
            elif self._is("["):
                self._at += 1
                index, index_depth = self._expression(0)
                self._expect("]")
                tree, depth = Subscript(tree, index), self._check_depth(depth, index_depth)
            else:
                return tree, depth

    def _term(self) -> tuple[SyntaxTree, int]:
        token = self._peek
        match token.kind:
            case "number":
                return self._number(), 1
            case "text" | "date":
                self._at += 1
                return Literal(token.value), 1
            case "variable":
                self._at += 1
                return Variable(str(token.value), token.column), 1
            case "special":
                self._at += 1
                return Special(str(token.value)), 1
            case "name" if token.value in ("true", "false"):
                self._at += 1
                return Literal(token.value == "true"), 1
            case "name" | "quoted":
                return self._invocation()
        if self._is("("):
            self._at += 1
            tree, depth = self._expression(0)
            self._expect(")")
            return tree, depth
        if self._is("{"):
            self._at += 1
            self._expect("}")
            return Literal(None), 1
        raise self._unexpected()

    def _number(self) -> SyntaxTree:
        number = self._next().value
        unit = self._peek
        if unit.kind == "text" or (unit.kind == "name" and unit.value in CALENDAR_UNITS):
            self._at += 1
            return Literal(Quantity(Decimal(str(number)), str(unit.value)))
        return Literal(number)

    def _invocation(self) -> tuple[Name | Call, int]:
        name = self._identifier()
        column = self._tokens[self._at - 1].column
        if not self._is("("):
            return Name(name, column), 1
        self._at += 1
        arguments: list[SyntaxTree] = []
        depth = 0
        while not self._is(")"):
            if arguments:
                self._expect(",")
            argument, inner = self._expression(0)
            arguments.append(argument)
            depth = max(depth, inner)
        self._at += 1
        return Call(name, tuple(arguments), column), self._check_depth(depth)

    def _identifier(self) -> str:
        token = self._peek
        if token.kind == "quoted" or (token.kind == "name" and token.value not in RESERVED):
            self._at += 1
            return str(token.value)
        hint = f"; write `{token.value}` for an element of this name" if token.kind == "name" else ""
        raise self._unexpected(hint)

    def _type(self) -> str:
        name = self._identifier()
        while self._is("."):
            self._at += 1
            name += f".{self._identifier()}"
        return name


def unparse_path(tree: SyntaxTree) -> str:
    """Return text that `parse_path` parses to the same tree, with every operation in parentheses."""
    match tree:
        case Literal(value):
            return _unparse_literal(value)
        case Name(name):
            return _unparse_name(name)
        case Special(name):
            return name
        case Variable(name):
            return f"%{_unparse_name(name)}"
        case Call(name, arguments):
            return f"{_unparse_name(name)}({', '.join(unparse_path(argument) for argument in arguments)})"
        case Step(left, right):
            return f"{_unparse_operand(left)}.{unparse_path(right)}"
        case Subscript(left, index):
            return f"{_unparse_operand(left)}[{unparse_path(index)}]"
        case Sign(operator, operand):
            return f"({operator}{_unparse_operand(operand)})"
        case Infix(operator, left, right):
            return f"({unparse_path(left)} {operator} {unparse_path(right)})"
        case TypeTest(operator, operand, type_):
            return f"({unparse_path(operand)} {operator} {'.'.join(map(_unparse_name, type_.split('.')))})"


def _unparse_operand(tree: SyntaxTree) -> str:
    text = unparse_path(tree)
    return f"({text})" if isinstance(tree, Literal) else text


def _unparse_literal(value: object) -> str:
    match value:
        case None:
            return "{}"
        case bool():
            return str(value).lower()
        case str():
            return quote(value, "'")
        case Temporal():
            return _unparse_temporal(value)
        case Quantity(number, unit):
            return f"{number:f} {unit if unit in CALENDAR_UNITS else quote(unit, chr(39))}"
        case Decimal():
            return f"{value:f}"
        case _:
            return str(value)


def _unparse_temporal(value: Temporal) -> str:
    if value.kind == "Time":
        return f"@T{value}"
    return f"@{value}" + ("T" if value.kind == "DateTime" and len(value.parts) < 4 else "")


def _unparse_name(name: str) -> str:
    plain = name.isascii() and name.isidentifier() and name not in RESERVED | _WORDS | CALENDAR_UNITS.keys()
    return name if plain else quote(name, "`")
