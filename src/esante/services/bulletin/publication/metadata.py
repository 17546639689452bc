"""What the table means, for machines and people: Table Schema in a Data Package, CSVW, a data dictionary."""

from typing import Any

import orjson

from esante.core.web import N_
from esante.services.bulletin.model import LANGUAGES
from esante.services.bulletin.publication.formatting import FLAGS, STATUSES, words
from esante.services.bulletin.publication.model import Paper
from esante.services.bulletin.publication.tables import COLUMNS, Row, csv_text

LICENCE = "https://creativecommons.org/licenses/by/4.0/"
MEANINGS: dict[str, str] = {
    "period": N_("The month that the figure is of."),
    "indicator": N_("What is counted: an id of the data dictionary."),
    "breakdown": N_("By what the total is broken down; empty in a total."),
    "category": N_("The category within the breakdown; empty in a total."),
    "value": N_("The figure; empty where none is shown."),
    "unit": N_("What the value is measured in."),
    "flag": N_("Why a value is not shown, or not exact."),
    "status": N_("Provisional, final or revised."),
    "vintage": N_("The version of the month's figures, from 1."),
    "as_of": N_("When the figures were made."),
    "method": N_("The version of the method."),
}
_XSD = {"string": "string", "number": "decimal", "integer": "integer", "datetime": "dateTimeStamp"}


def table_schema() -> bytes:
    """The Table Schema (Frictionless 1.0) of the tidy table."""
    return _json(_schema())


def data_package(paper: Paper) -> bytes:
    """The Data Package (Frictionless 1.0) of the issue: its CSV with its schema."""
    resource = {
        "name": "figures",
        "path": f"{paper.name}.csv",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "profile": "tabular-data-resource",
        "schema": _schema(),
    }
    package = {
        "profile": "tabular-data-package",
        "name": paper.name,
        "title": f"Cahier eSanté {paper.period}",
        "version": str(paper.issue.vintage.number),
        "created": paper.at.isoformat(),
        "licenses": [{"name": "CC-BY-4.0", "path": LICENCE}],
        "resources": [resource],
    }
    return _json(package)


def csvw(paper: Paper) -> bytes:
    """The CSV on the Web metadata (W3C, 2015) of the issue's CSV, in four languages."""
    columns = [
        {
            "name": name,
            "titles": name,
            "dc:description": [
                {"@value": words(language).text(text), "@language": language} for language in LANGUAGES
            ],
            "datatype": _XSD[COLUMNS[name]],
            "required": COLUMNS[name] == "integer" or name in ("period", "indicator", "as_of"),
        }
        for name, text in MEANINGS.items()
    ]
    table = {
        "@context": "http://www.w3.org/ns/csvw",
        "url": f"{paper.name}.csv",
        "dc:title": f"Cahier eSanté {paper.period}",
        "dc:license": {"@id": LICENCE},
        "dc:modified": {"@value": paper.at.isoformat(), "@type": "xsd:dateTime"},
        "tableSchema": {
            "columns": columns,
            "primaryKey": ["period", "indicator", "breakdown", "category"],
        },
    }
    return _json(table)


def dictionary(paper: Paper, language: str) -> list[Row]:
    """The data dictionary in a language, its first row the names of its columns."""
    w = words(language)
    lines: list[Row] = [("kind", "id", "title", "definition", "unit", "since", "method", "source_events")]
    lines += [("column", name, name, w.text(text), "", "", "", "") for name, text in MEANINGS.items()]
    for one in paper.indicators:
        about = (w.unit(one), one.since, one.method, " ".join(one.source_events))
        lines.append(("indicator", one.id, w.title(one), w.definition(one), *about))
    named = sorted({key[1:] for key in paper.series if key[1]})
    lines += [("category", f"{group}/{name}", w.name(name), "", "", "", "", "") for group, name in named]
    lines += [("status", key, w.text(text), "", "", "", "", "") for key, text in STATUSES.items()]
    lines += [("flag", key, w.text(text), "", "", "", "", "") for key, text in FLAGS.items()]
    return lines


def dictionary_csv(paper: Paper, language: str) -> bytes:
    """The data dictionary as CSV."""
    return csv_text(dictionary(paper, language))


def _schema() -> dict[str, Any]:
    w = words("en")
    fields = [
        {"name": name, "type": COLUMNS[name], "description": w.text(text), **_limits(name)}
        for name, text in MEANINGS.items()
    ]
    return {
        "fields": fields,
        "primaryKey": ["period", "indicator", "breakdown", "category"],
        "missingValues": [""],
    }


def _limits(name: str) -> dict[str, Any]:
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


def _json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"
