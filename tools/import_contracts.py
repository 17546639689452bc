"""The import contract of the packages, as contract types of import-linter (configured in pyproject.toml).

Packages are found in the folders of the layers, so a new service needs no line here. The modules `declaration` and
`cli` of a package assemble it: they may import anything, and nothing but the list of packages imports them.
"""

from collections.abc import Iterator

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output

ASSEMBLY = ("declaration", "cli")
LAYERS: tuple[tuple[str, ...], ...] = (
    (
        "esante",
        "esante.settings",
        "esante.core.types",
        "esante.core.dated_data",
        "esante.core.check_digits",
        "esante.core.clock",
        "esante.core.link_secrets",
        "esante.core.plain_xml",
    ),
    ("esante.core.time_zone",),
    ("esante.core.time_limits", "esante.core.zip_stream"),
    ("esante.core.storage",),
    ("esante.core.journal", "esante.core.web", "esante.core.disclosure", "esante.core.outbound"),
    ("esante.core.fhir", "esante.core.witness", "esante.core.sepa", "esante.core.soap", "esante.core.open_data"),
    ("esante.core.xds",),
    ("esante.identity.directory",),
    ("esante.identity.access",),
    ("esante.identity.signin",),
    ("esante.notifications",),
    ("esante.contract",),
    ("esante.contract_parts",),
    ("esante.services.record",),
    ("esante.services.*",),
    ("esante.portal", "esante.demo"),
    ("esante.packages",),
    ("esante.app",),
    ("esante.command_line",),
    ("esante.cli",),
)
"""From the lowest to the highest. A package imports those of lower layers only, and itself."""
DIVIDED = ("esante.core.fhir",)
"""Packages whose sub-packages are public, each through its `__init__.py`."""
LATE = ("esante.core.web.server",)
"""Public modules that are imported when they are needed only."""


class _Contract(Contract):  # type: ignore[misc]
    """A contract over single imports: `faults` yields a line for each that is not allowed."""

    def faults(self, graph: ImportGraph) -> Iterator[str]:
        """Yield the imports that break the contract."""
        raise NotImplementedError

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Check every import of the program."""
        found = sorted(self.faults(graph))
        return ContractCheck(kept=not found, metadata={"faults": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the imports that are not allowed."""
        for fault in check.metadata["faults"]:
            output.print_error(fault, bold=False)


class LayersContract(_Contract):
    """A package imports lower layers only; services know `record` and no other service."""

    type_name = "layers_of_packages"

    def faults(self, graph: ImportGraph) -> Iterator[str]:
        """Yield the imports of a package of the same or a higher layer."""
        for importer, imported in _imports(graph):
            above, below = package_of(importer), package_of(imported)
            if above != below and layer_of(below) >= layer_of(above):
                yield f"{importer} imports {imported}: {below} is not below {above}"


class EntryContract(_Contract):
    """A package is entered through its `__init__.py`."""

    type_name = "package_entry"

    def faults(self, graph: ImportGraph) -> Iterator[str]:
        """Yield the imports of a module inside another package."""
        for importer, imported in _imports(graph):
            package = package_of(imported)
            public = {package, *LATE}
            if package in DIVIDED:
                public |= {module for module in graph.find_children(package) if graph.find_children(module)}
            if package_of(importer) != package and imported not in public:
                yield f"{importer} imports {imported}: import it from {package}"


class PureRulesContract(_Contract):
    """Rules do no I/O."""

    type_name = "pure_rules"

    def faults(self, graph: ImportGraph) -> Iterator[str]:
        """Yield the imports of storage and HTTP by modules named `rules`."""
        forbidden = ("esante.core.storage", "asyncpg", "starlette", "obstore")
        for module in graph.modules:
            if module.rpartition(".")[2] == "rules":
                for imported in graph.find_modules_directly_imported_by(module):
                    if imported.startswith(forbidden):
                        yield f"{module} imports {imported}"


def package_of(module: str) -> str:
    """Return the package that a module belongs to: `esante.services.record` of all modules in it."""
    parts = module.split(".")
    layered = len(parts) > 2 and parts[1] in ("core", "identity", "services")
    return ".".join(parts[: 3 if layered else 2])


def layer_of(package: str) -> int:
    """Return the number of the layer of a package."""
    for number, packages in enumerate(LAYERS):
        if package in packages or f"{package.rpartition('.')[0]}.*" in packages:
            return number
    raise ValueError(f"{package} is in no layer of {__name__}.LAYERS")


def _imports(graph: ImportGraph) -> Iterator[tuple[str, str]]:
    """Every import between modules of the program but those of the assembly."""
    for importer in graph.modules:
        if importer.startswith("esante") and importer.rpartition(".")[2] not in ASSEMBLY:
            for imported in graph.find_modules_directly_imported_by(importer):
                if imported.startswith("esante."):
                    yield importer, imported
