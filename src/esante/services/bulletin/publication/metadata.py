"""Metadata of the tidy table: Table Schema, Data Package, CSV on the Web, data dictionary."""

import orjson

from esante.core.types import Json
from esante.core.web import N_, current_agency
from esante.services.bulletin.model import LANGUAGES
from esante.services.bulletin.publication.formatter import FLAGS, STATUSES, formatter
from esante.services.bulletin.publication.model import IssueDocument
from esante.services.bulletin.publication.tables import COLUMNS, Row, encode_rows

LICENCE = "https://creativecommons.org/licenses/by/4.0/"
MEANINGS: dict[str, str] = {
    "period": N_("The month the figure refers to."),
    "indicator": N_("The indicator: an id from the data dictionary."),
    "breakdown": N_("How the total is broken down. Empty for a total."),
    "category": N_("The category within the breakdown. Empty for a total."),
    "value": N_("The figure. Empty if it is not shown."),
    "unit": N_("The unit of the value."),
    "flag": N_("Why a value is not shown or not exact."),
    "status": N_("Provisional, final or revised."),
    "vintage": N_("The version of the figures for the month, starting at 1."),
    "as_of": N_("The date and time the figures were produced."),
    "method": N_("The version of the method."),
}
"""The descriptions (msgids) of the columns of the tidy table."""
_XSD = {"string": "string", "number": "decimal", "integer": "integer", "datetime": "dateTimeStamp"}


def encode_table_schema() -> bytes:
    """Return the Table Schema (Frictionless 1.0) of the tidy table."""
    return _encode_json(_table_schema())


def encode_data_package(document: IssueDocument) -> bytes:
    """Return the Data Package (Frictionless 1.0) of the issue: its CSV with its schema."""
    resource = {
        "name": "figures",
        "path": f"{document.name}.csv",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "profile": "tabular-data-resource",
        "schema": _table_schema(),
    }
    package = {
        "profile": "tabular-data-package",
        "name": document.name,
        "title": f"{current_agency().bulletin_name.of('en')} {document.period}",
        "version": str(document.issue.vintage.number),
        "created": document.dated_at.isoformat(),
        "licenses": [{"name": "CC-BY-4.0", "path": LICENCE}],
        "resources": [resource],
    }
    return _encode_json(package)


def encode_csvw(document: IssueDocument) -> bytes:
    """Return the CSV on the Web metadata (W3C, 2015) of the issue's CSV, in four languages."""
    columns = [
        {
            "name": name,
            "titles": name,
            "dc:description": [
                {"@value": formatter(language).text(text), "@language": language} for language in LANGUAGES
            ],
            "datatype": _XSD[COLUMNS[name]],
            "required": COLUMNS[name] == "integer" or name in ("period", "indicator", "as_of"),
        }
        for name, text in MEANINGS.items()
    ]
    table = {
        "@context": "http://www.w3.org/ns/csvw",
        "url": f"{document.name}.csv",
        "dc:title": f"{current_agency().bulletin_name.of('en')} {document.period}",
        "dc:license": {"@id": LICENCE},
        "dc:modified": {"@value": document.dated_at.isoformat(), "@type": "xsd:dateTime"},
        "tableSchema": {
            "columns": columns,
            "primaryKey": ["period", "indicator", "breakdown", "category"],
        },
    }
    return _encode_json(table)


def dictionary_rows(document: IssueDocument, language: str) -> list[Row]:
    """Return the data dictionary in a language; the first row names the columns."""
    fmt = formatter(language)
    rows: list[Row] = [("kind", "id", "title", "definition", "unit", "since", "method", "source_events")]
    rows += [("column", name, name, fmt.text(text), "", "", "", "") for name, text in MEANINGS.items()]
    for one in document.indicators:
        details = (fmt.unit(one), one.since, one.method, " ".join(one.source_events))
        rows.append(("indicator", one.id, fmt.title(one), fmt.definition(one), *details))
    named = sorted({key[1:] for key in document.series if key[1]})
    rows += [("category", f"{group}/{name}", fmt.name(name), "", "", "", "", "") for group, name in named]
    rows += [("status", key, fmt.text(text), "", "", "", "", "") for key, text in STATUSES.items()]
    rows += [("flag", key, fmt.text(text), "", "", "", "", "") for key, text in FLAGS.items()]
    return rows


def encode_dictionary(document: IssueDocument, language: str) -> bytes:
    """Return the data dictionary in a language as CSV."""
    return encode_rows(dictionary_rows(document, language))


def _table_schema() -> Json:
    fmt = formatter("en")
    fields = [
        {"name": name, "type": COLUMNS[name], "description": fmt.text(text), **_field_constraints(name)}
        for name, text in MEANINGS.items()
    ]
    return {
        "fields": fields,
        "primaryKey": ["period", "indicator", "breakdown", "category"],
        "missingValues": [""],
    }


def _field_constraints(name: str) -> Json:
    match name:
        case "period":
            return {"constraints": {"required": True, "pattern": "[0-9]{4}-(0[1-9]|1[0-2])"}}
        case "status":
            return {"constraints": {"enum": list(STATUSES)}}
        case "flag":
            return {"constraints": {"enum": list(FLAGS)}}
        case "as_of":
            return {"format": "any"}
    return {}


def _encode_json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"
