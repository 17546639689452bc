"""The export of a terminology server as OpenNCP keeps it (ltrdb): a file of SQL with the rows of eight tables.

Nothing is executed: the rows of INSERT statements are read as values. Columns are those that a statement names, else
those of the tables' CREATE statements in the same file, else the order in which OpenNCP declares them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from esante.services.exchange.terminology.builder import CatalogueBuilder
from esante.services.exchange.terminology.dates import day_of
from esante.services.exchange.terminology.model import Code, ValueSet

Row = dict[str, str | None]
_COLUMNS = {
    "code_system": "id oid name description",
    "code_system_version": "id full_name local_name previous_version_id effective_date release_date status status_date"
    " description copyright source code_system_id",
    "code_system_concept": "id code status status_date definition code_system_version_id",
    "designation": "id designation language_code type is_preferred status status_date code_system_concept_id",
    "transcoding_association": "id transcoding_association_id target_concept_id source_concept_id quality status"
    " status_date",
    "value_set": "id oid epsos_name description parent_code_system_id",
    "value_set_version": "id version_name effective_date release_date status status_date description"
    " previous_version_id value_set_id",
    "x_concept_value_set": "code_system_concept_id value_set_version_id",
}
_TABLE = r"[`\"]?(?:\w+[`\"]?\.[`\"]?)?(\w+)[`\"]?"
_HEAD = re.compile(rf"INSERT\s+(?:IGNORE\s+)?INTO\s+{_TABLE}\s*(?:\(([^)]*)\))?\s*VALUES\s*", re.IGNORECASE)
_CREATE = re.compile(rf"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?{_TABLE}\s*\((.*?)\)\s*[^,()]*;", re.I | re.S)
_COLUMN = re.compile(r"(?:^|,)\s*[`\"]?([a-z_]+)[`\"]?\s+[A-Z]", re.IGNORECASE)
_VALUE = re.compile(r"\s*(?:'((?:[^'\\]|\\.|'')*)'|([^\s,()';]+))\s*", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)|''", re.DOTALL)
_CURRENT = {"current", "active", "valid", ""}
_REMEDY = "Export the tables of the terminology server again"


@dataclass(slots=True)
class _Tables:
    rows: dict[str, list[tuple[Row, int]]] = field(default_factory=lambda: {name: [] for name in _COLUMNS})


def is_tsam(text: str) -> bool:
    """Whether a text looks like such an export."""
    return any(head[1].lower() in _COLUMNS for head in _HEAD.finditer(text[:1_000_000]))


def read_tsam(text: str, place: str, builder: CatalogueBuilder) -> None:
    """Take the concepts, designations, transcodings and value sets of an export."""
    tables = _Tables()
    columns = {name: names.split() for name, names in _COLUMNS.items()}
    for create in _CREATE.finditer(text):
        if create[1].lower() in columns:
            found = [one.lower() for one in _COLUMN.findall(create[2])]
            columns[create[1].lower()] = [
                one for one in found if one not in ("primary", "constraint", "foreign", "key")
            ]
    for head in _HEAD.finditer(text):
        table = head[1].lower()
        if table not in columns:
            continue
        names = [name.strip(' `"\n').lower() for name in head[2].split(",")] if head[2] else columns[table]
        line = text.count("\n", 0, head.start()) + 1
        for values in _rows(text, head.end()):
            if len(values) != len(names):
                message = f"a row of {table} has {len(values)} values for {len(names)} columns"
                builder.fault(message, f"{place}:{line}", _REMEDY)
                break
            tables.rows[table].append((dict(zip(names, values, strict=True)), line))
    _take(tables, place, builder)


def _rows(text: str, position: int) -> Iterator[list[str | None]]:
    """Yield the rows after VALUES, each in parentheses, until something else follows."""
    while position < len(text) and text[position] == "(":
        values: list[str | None] = []
        position += 1
        while (value := _VALUE.match(text, position)) is not None:
            quoted, plain = value.groups()
            if quoted is not None:
                values.append(_ESCAPE.sub(lambda found: found[1] or "'", quoted))
            else:
                values.append(None if plain.upper() == "NULL" else plain)
            position = value.end()
            if text[position : position + 1] != ",":
                break
            position += 1
        yield values
        if text[position : position + 1] != ")":
            return
        position += 1
        while text[position : position + 1] in (",", " ", "\n", "\r", "\t") and text[position : position + 1]:
            position += 1


def _take(tables: _Tables, place: str, builder: CatalogueBuilder) -> None:
    systems = {row["id"]: str(row["oid"] or "") for row, _ in tables.rows["code_system"]}
    versions: dict[str | None, str] = {}
    for row, line in tables.rows["code_system_version"]:
        oid = systems.get(row["code_system_id"])
        if oid is None:
            builder.fault(f"the version {row['id']} has no code system", f"{place}:{line}", _REMEDY)
            continue
        versions[row["id"]] = oid
        builder.add_version(oid, str(row.get("local_name") or row.get("full_name") or ""))
    concepts: dict[str | None, Code] = {}
    for row, line in tables.rows["code_system_concept"]:
        system = versions.get(row["code_system_version_id"])
        if system is None:
            builder.fault(f"the concept {row['code']} has no code system", f"{place}:{line}", _REMEDY)
        elif _is_current(row):
            concepts[row["id"]] = (system, str(row["code"]))
            builder.add_concept(concepts[row["id"]])
            builder.dated(day_of(row.get("status_date")))
    for row, line in tables.rows["designation"]:
        concept = concepts.get(row["code_system_concept_id"])
        if concept is not None and _is_current(row) and row["designation"]:
            preferred = str(row["is_preferred"]).strip("b'").lower() in ("1", "true", "\x01")
            language = str(row["language_code"] or "en")
            builder.add_designation(concept, language, row["designation"], f"{place}:{line}", preferred=preferred)
    for row, line in tables.rows["transcoding_association"]:
        source, target = concepts.get(row["source_concept_id"]), concepts.get(row["target_concept_id"])
        if source is not None and target is not None and _is_current(row):
            builder.add_mapping(source, target, f"{place}:{line}")
    _take_value_sets(tables, concepts, place, builder)


def _take_value_sets(tables: _Tables, concepts: dict[str | None, Code], place: str, builder: CatalogueBuilder) -> None:
    members: dict[str | None, set[Code]] = {}
    for row, _ in tables.rows["x_concept_value_set"]:
        concept = concepts.get(row["code_system_concept_id"])
        if concept is not None:
            members.setdefault(row["value_set_version_id"], set()).add(concept)
    sets = {row["id"]: row for row, _ in tables.rows["value_set"]}
    for row, line in tables.rows["value_set_version"]:
        value_set = sets.get(row["value_set_id"])
        if value_set is not None and _is_current(row):
            codes = frozenset(members.get(row["id"], ()))
            name, version = str(value_set["epsos_name"] or ""), str(row["version_name"] or "")
            builder.add_value_set(ValueSet(str(value_set["oid"]), name, version, codes), f"{place}:{line}")


def _is_current(row: Row) -> bool:
    return str(row.get("status") or "").lower() in _CURRENT
