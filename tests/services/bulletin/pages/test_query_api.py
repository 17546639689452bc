"""The query page and the open data API."""

import csv
import io
import re

import pytest
from lxml import html


async def test_api_returns_rows_of_csv(web):
    download = (await web.get("/bulletin/files/cahier-esante-2026-10-v1.csv")).text
    answer = (await web.get("/api/bulletin/figures?from=2026-10&to=2026-10&format=csv")).text

    def rows(text):
        return sorted(tuple(row.values()) for row in csv.DictReader(io.StringIO(text)))

    assert rows(answer) == rows(download)
    found = (await web.get("/api/bulletin/figures?from=2026-10&to=2026-10")).json()["figures"]
    assert sorted(tuple("" if value is None else str(value) for value in row.values()) for row in found) == rows(
        download
    )


async def test_query_page_shows_value_of_linked_address(web):
    page = html.fromstring(
        (
            await web.get(
                "/bulletin/query?indicator=documents_deposited&breakdown=origin", headers={"Accept-Language": "en"}
            )
        ).text
    )
    links = page.xpath("//td/a")
    assert len(links) == 36 * 4
    for link in links[::29]:
        number = html.fromstring((await web.get(link.get("href"), headers={"Accept-Language": "en"})).text)
        assert number.xpath("string(//*[@class='big-number'])") == link.text


@pytest.mark.parametrize(
    ("query", "place"),
    [("indicator=nonsense", "indicator"), ("breakdown=x", "breakdown"), ("from=2026", "from"), ("to=2026-13", "to"),
     ("format=exe", "format"), ("sql=1", "sql"), ("indicator=records_open&breakdown=origin", "breakdown")],
)  # fmt: skip
async def test_invalid_parameter_is_named(web, query, place):
    answer = await web.get(f"/api/bulletin/figures?{query}")
    assert answer.status_code == 400
    assert f"{place}: " in answer.json()["error_description"]


async def test_script_in_parameter_is_escaped(web):
    answer = await web.get(
        "/bulletin/query", params={"indicator": "records_open", "category": "<script>alert(1)</script>"}
    )
    assert "<script>alert" not in answer.text
    assert re.search(r"category=%3Cscript", answer.text) or answer.status_code == 200
