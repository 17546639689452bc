"""The datasets of secondary use, as they are packaged."""

import pytest

from esante.services.research import DatasetTable, load_datasets, tables_by_name

LANGUAGES = {"fr", "de", "en", "lb"}
TABLES = list(tables_by_name().values())
PATIENT = {
    "resourceType": "Patient",
    "name": [{"family": "Muster"}],
    "gender": "female",
    "birthDate": "1974-08-02",
    "address": [{"line": ["Rue 1"], "city": "Esch", "district": "Esch-sur-Alzette"}],
}


@pytest.mark.parametrize("table", TABLES, ids=[one.name for one in TABLES])
def test_every_column_has_a_type_and_titles_in_four_languages(table: DatasetTable) -> None:
    assert set(table.titles) == LANGUAGES
    assert all(set(one.titles) == LANGUAGES and one.type for one in table.columns)


def test_every_dataset_names_its_article_and_source() -> None:
    assert {one.name for one in load_datasets()} >= {
        "population",
        "laboratory",
        "diagnoses",
        "medication",
        "vaccination",
        "documents",
    }
    for one in load_datasets():
        assert (
            one.article.startswith("51(1)(")
            and one.legal_source
            and set(one.titles) == set(one.descriptions) == LANGUAGES
        )


def test_person_has_no_date_of_birth_and_no_name() -> None:
    (row,) = tables_by_name()["population.person"].view.rows(PATIENT)
    assert row == {"sex": "female", "birth_decade": "1970", "canton": "Esch-sur-Alzette", "deceased": False}


@pytest.mark.parametrize(
    ("born", "decade"), [("1929-12-31", "1920"), ("1930-01-01", "1930"), ("1901", "1920"), ("2025-05-05", "2020")]
)
def test_decade_of_birth_is_coarse_for_the_very_old(born: str, decade: str) -> None:
    (row,) = tables_by_name()["population.person"].view.rows(PATIENT | {"birthDate": born})
    assert row["birth_decade"] == decade


def test_result_has_a_month_and_only_laboratory_observations_count() -> None:
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Haemoglobin"}]},
        "valueQuantity": {"value": 13.5, "code": "g/dL"},
        "effectiveDateTime": "2026-03-04T10:00:00Z",
    }
    view = tables_by_name()["laboratory.result"].view
    (row,) = view.rows(resource)
    assert (row["code"], row["unit"], row["month"]) == ("718-7", "g/dL", "2026-03")
    assert view.rows(resource | {"category": [{"coding": [{"code": "vital-signs"}]}]}) == []
    assert view.rows(resource | {"status": "entered-in-error"}) == []
