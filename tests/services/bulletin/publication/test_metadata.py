"""Table Schema, CSVW and data dictionary describe the CSV."""

import csv
import io
import json
import re

import pytest

from esante.services.bulletin.model import LANGUAGES


def test_schemas_name_columns_of_csv(issue_files, csv_rows):
    columns = list(csv_rows[0])
    package = json.loads(issue_files["-datapackage.json"].path.read_text())["resources"][0]
    assert [field["name"] for field in package["schema"]["fields"]] == columns
    assert [
        column["name"]
        for column in json.loads(issue_files[".csv-metadata.json"].path.read_text())["tableSchema"]["columns"]
    ] == columns
    patterns = {field["name"]: field.get("constraints", {}) for field in package["schema"]["fields"]}
    assert all(re.fullmatch(patterns["period"]["pattern"], row["period"]) for row in csv_rows)
    assert all(row["status"] in patterns["status"]["enum"] for row in csv_rows)
    assert all(row["flag"] in ["", *patterns["flag"]["enum"]] for row in csv_rows)


@pytest.mark.parametrize("language", LANGUAGES)
def test_dictionary_explains_every_column_and_indicator(issue_files, csv_rows, language):
    entries = list(csv.DictReader(io.StringIO(issue_files[f"-dictionary-{language}.csv"].path.read_text("utf-8"))))
    known = {(entry["kind"], entry["id"]): entry for entry in entries}
    for row in csv_rows:
        assert known["indicator", row["indicator"]]["definition"]
        assert not row["breakdown"] or ("category", f"{row['breakdown']}/{row['category']}") in known
    assert all(known["column", name]["definition"] for name in csv_rows[0])
