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
STORED = {"reader", "room"}
"""Words that stand in the database and may be read from it."""
SAME_MEANING = {
    "Policy": "the dated terms of a service",
    "Kind": "an enumeration of kinds within a package",
}
"""Names of public classes that several packages may use, with the meaning that they share."""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_PARTICIPLE = re.compile(r"(?:ing|ed)$")
NOUNS = {"metering", "rendering", "indexing", "routing", "rest_hook", "embedded", "published", "bounded_regex"}
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
    return [word for word in (found.lower() for found in _WORD.findall(name)) if word in BANNED and word not in STORED]


def module_faults() -> Iterator[str]:
    """Yield modules that are named by a bare participle or a gerund."""
    for path in sorted(SOURCE.rglob("*.py")):
        if _PARTICIPLE.search(path.stem) and path.stem not in NOUNS:
            yield f"{path.relative_to(ROOT)}: a module is a noun or a verb of the field"


def class_faults() -> Iterator[str]:
    """Yield public classes of one name in several packages."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE).parts
        package = "/".join(parts[: 2 if parts[0] in ("core", "identity", "services") else 1])
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].add(package)
    for name, packages in sorted(found.items()):
        if len(packages) > 1 and name not in SAME_MEANING:
            yield f"class {name} stands in {', '.join(sorted(packages))}: one name, one meaning"


def glossary_faults(text: str) -> Iterator[str]:
    """Yield terms that the glossary defines twice."""
    terms = [row.split("|")[1].strip().lower() for row in text.splitlines() if row.startswith("| ")]
    for term in sorted({term for term in terms if terms.count(term) > 1 and term not in ("term", "---")}):
        yield f"docs/glossary.md: {term} is defined twice"


def _identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


if __name__ == "__main__":
    sys.exit(main())
