"""Hold names to the glossary: banned words, module names, one meaning for a public class, terms defined once.

What is banned stands in BANNED with the term to use; `docs/glossary.md` has the terms.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "esante"
GLOSSARY = ROOT / "docs" / "glossary.md"

BANNED = {
    "told": "entry, event, rows, outcome",
    "tell": "append, notify, return",
    "tells": "append, notify, return",
    "teller": "AuditWriter",
    "telling": "notification, message",
    "face": "Endpoints, interface",
    "faces": "Endpoints, interface",
    "room": "service, package",
    "rooms": "service, package",
    "wish": "request, parameters",
    "luggage": "export",
    "desk": "admin",
    "gate": "policy",
    "sight": "visibility",
    "glance": "check",
}
"""Words that no identifier may hold, with the terms of the field to use."""
SAME_MEANING = {
    "Policy": "the dated terms of a service",
    "Kind": "an enumeration of kinds within a package",
}
"""Names of public classes that several packages may use, with the meaning that they share."""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_PARTICIPLE = re.compile(r"(?:ing|ed)$")
NOUNS = {
    "embedded",
    "everything",
    "formatting",
    "matching",
    "metering",
    "nesting",
    "published",
    "rendering",
    "routing",
    "sharing",
}
"""Module names that end like participles and are nouns, or terms of the field."""


def main() -> int:
    """Print every fault; 1 when there is one."""
    faults = [*identifier_faults(), *module_faults(), *class_faults(), *glossary_faults(GLOSSARY.read_text("utf-8"))]
    print("\n".join(faults) or "names: as the glossary has them.")
    return 1 if faults else 0


def identifier_faults() -> Iterator[str]:
    """Yield identifiers that hold a banned word."""
    for path in sorted(SOURCE.rglob("*.py")):
        for line, name in _identifiers(ast.parse(path.read_text(encoding="utf-8"))):
            for word in banned_words(name):
                yield f"{path.relative_to(ROOT)}:{line}: {name}: say {BANNED[word]}"


def banned_words(name: str) -> list[str]:
    """Return the banned words in an identifier."""
    return [word for word in (found.lower() for found in _WORD.findall(name)) if word in BANNED]


def module_faults() -> Iterator[str]:
    """Yield modules that are named by a bare participle or a gerund."""
    for path in sorted(SOURCE.rglob("*.py")):
        if _PARTICIPLE.search(path.stem) and path.stem not in NOUNS:
            yield f"{path.relative_to(ROOT)}: a module is a noun or a verb of the field"


def class_faults() -> Iterator[str]:
    """Yield classes of one name that the public interfaces of several packages export."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in SOURCE.rglob("__init__.py"):
        parts = path.relative_to(SOURCE).parts[:-1]
        public = len(parts) == 2 or parts[:2] == ("core", "fhir")
        if public:
            for name in _exported_classes(ast.parse(path.read_text(encoding="utf-8"))):
                found[name].add("/".join(parts[:2]))
    for name, packages in sorted(found.items()):
        if len(packages) > 1 and name not in SAME_MEANING:
            yield f"class {name} is exported by {', '.join(sorted(packages))}: one name, one meaning"


def _exported_classes(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = ast.literal_eval(node.value)
            yield from (name for name in names if name[0].isupper() and not name.isupper())


def glossary_faults(text: str) -> Iterator[str]:
    """Yield terms that the glossary defines twice."""
    terms = [row.split("|")[1].strip().lower() for row in text.splitlines() if row.startswith("| ")]
    for term in sorted({term for term in terms if terms.count(term) > 1 and term not in ("term", "---")}):
        yield f"docs/glossary.md: {term} is defined twice"


def _identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            continue  # a field: those of events are stored under their names
        elif isinstance(node, ast.Assign):
            yield from ((name.lineno, name.id) for target in node.targets for name in _stored_names(target))
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def _stored_names(target: ast.AST) -> Iterator[ast.Name]:
    return (node for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))


if __name__ == "__main__":
    sys.exit(main())
