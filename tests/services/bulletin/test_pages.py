"""The public pages and the API over a shelf: what is released is there, what is not is not."""

import csv
import io
import re

import httpx
import pytest
from lxml import etree, html
from starlette.applications import Starlette

from esante.core.web import HANDLERS, LANGUAGES, SecurityHeaders, grouped
from esante.services.bulletin.pages.public import routes
from esante.services.bulletin.pages.query_api import query_routes
from esante.services.bulletin.publication import publish
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.releases.published import PublishedReleases
from tests.services.bulletin.sample import BASE, sample_vintages
from tests.services.bulletin.test_annual import corrected, shelved

PUBLIC = ["/bulletin", "/bulletin/2026-10", "/bulletin/2026-10?version=1", "/bulletin/calendar", "/bulletin/changes",
          "/bulletin/dictionary", "/bulletin/objectives", "/bulletin/query", "/bulletin/2026-10/documents_deposited",
          "/bulletin/query?indicator=documents_deposited&breakdown=origin", "/bulletin/query?turn=yes&from=2026-01",
          "/bulletin/2026-10/documents_deposited/format/application/pdf"]  # fmt: skip


@pytest.fixture(scope="module")
def releases():
    months = sample_vintages()
    march = next(one for one in months if one.period == "2026-03")
    return PublishedReleases([*(shelved(one) for one in months), shelved(corrected(march, "documents_deposited", 1_204), 20)])


@pytest.fixture
async def web(releases, tmp_path):
    async with client(releases, tmp_path) as http:
        yield http


def client(releases, folder):
    async def load():
        return releases

    paths = [*query_routes(load, BASE), *routes(load, BASE, folder, synthetic=True)]
    app = SecurityHeaders(Starlette(routes=grouped(paths), exception_handlers=HANDLERS))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_is_there_in_every_language_and_runs_no_script_of_its_own(web, language):
    for path in PUBLIC:
        answer = await web.get(path, headers={"Accept-Language": language})
        assert answer.status_code == 200, path
        page = html.fromstring(answer.text)
        assert page.get("lang") == language
        assert not page.xpath("//@style | //style | //script[not(@src)] | //@onclick"), path
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids)), path


async def test_every_link_of_the_pages_leads_somewhere(web):
    seen = set()
    for path in PUBLIC:
        page = html.fromstring((await web.get(path)).text)
        seen |= {url for url in page.xpath("//main//a/@href") if url.startswith("/") and not url.endswith(".pdf")}
    for url in sorted(seen)[:: max(1, len(seen) // 60)]:
        assert (await web.get(url)).status_code == 200, url


async def test_a_download_is_the_published_file(web, releases, tmp_path):
    made = publish(releases.issue(releases.find("2026-10")), tmp_path / "again", BASE, synthetic=True)
    for file in made:
        if file.path.suffix in (".csv", ".xlsx", ".parquet", ".json") or file.path.name.endswith("fr.pdf"):
            answer = await web.get(f"/bulletin/files/{file.path.name}")
            assert answer.content == file.path.read_bytes(), file.path.name
            assert answer.headers["content-type"].split(";")[0] == file.media_type


async def test_the_api_gives_the_rows_of_the_csv(web):
    download = (await web.get("/bulletin/files/cahier-esante-2026-10-v1.csv")).text
    asked = (await web.get("/api/bulletin/figures?from=2026-10&to=2026-10&format=csv")).text

    def rows(text):
        return sorted(tuple(row.values()) for row in csv.DictReader(io.StringIO(text)))

    assert rows(asked) == rows(download)
    found = (await web.get("/api/bulletin/figures?from=2026-10&to=2026-10")).json()["figures"]
    assert sorted(tuple("" if value is None else str(value) for value in row.values()) for row in found) == rows(
        download
    )


async def test_each_number_on_the_query_page_is_that_of_its_address(web):
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


async def test_a_version_keeps_its_number_when_the_month_is_corrected(web, releases):
    first, second = (one.cells["documents_deposited", "", ""].value for one in releases.versions("2026-03"))
    url, fmt = "/bulletin/2026-03/documents_deposited", formatter("en")
    for query, value in (("", second), ("?version=1", first), ("?version=2", second)):
        page = html.fromstring((await web.get(url + query, headers={"Accept-Language": "en"})).text)
        assert page.xpath("string(//*[@class='big-number'])") == fmt.number(value)
    log = html.fromstring((await web.get("/bulletin/changes", headers={"Accept-Language": "en"})).text).text_content()
    assert "Late deposits" in log
    assert fmt.number(second) in log


@pytest.mark.parametrize(
    "path",
    ["/bulletin/2026-11", "/bulletin/2026-13", "/bulletin/2026-10?version=2", "/bulletin/2026-10/nothing", "/bulletin/x",
     "/bulletin/files/cahier-esante-2026-11-v1.csv", "/bulletin/files/..%2F..%2Fetc%2Fpasswd", "/bulletin/catalog.xml",
     "/bulletin/files/cahier-esante-2026-10-v1.exe", "/bulletin/annual/2026-fr.pdf", "/bulletin/annual/2025-xx.pdf"],
)  # fmt: skip
async def test_what_is_not_released_is_not_there(web, path):
    assert (await web.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("query", "place"),
    [("indicator=nonsense", "indicator"), ("breakdown=x", "breakdown"), ("from=2026", "from"), ("to=2026-13", "to"),
     ("format=exe", "format"), ("sql=1", "sql"), ("indicator=records_open&breakdown=origin", "breakdown")],
)  # fmt: skip
async def test_a_wrong_question_is_told_where_it_is_wrong(web, query, place):
    answer = await web.get(f"/api/bulletin/figures?{query}")
    assert answer.status_code == 400
    assert f"{place}: " in answer.json()["error_description"]


async def test_the_feeds_are_readable(web, releases):
    feed = etree.fromstring((await web.get("/bulletin/feed.atom")).content)
    assert len(feed.findall("{http://www.w3.org/2005/Atom}entry")) == len(releases.all)
    for form in ("ttl", "jsonld"):
        assert (
            f"{BASE}/bulletin/files/cahier-esante-2026-03-v2.csv" in (await web.get(f"/bulletin/catalog.{form}")).text
        )


async def test_before_the_first_release_every_page_says_so(tmp_path):
    async with client(PublishedReleases([]), tmp_path) as web:
        for path in (
            "/bulletin",
            "/bulletin/calendar",
            "/bulletin/changes",
            "/bulletin/objectives",
            "/bulletin/query",
            "/bulletin/feed.atom",
            "/bulletin/catalog.ttl",
            "/api/bulletin/figures",
        ):
            assert (await web.get(path)).status_code == 200, path


async def test_a_formula_in_a_parameter_is_only_text(web):
    answer = await web.get(
        "/bulletin/query", params={"indicator": "records_open", "category": "<script>alert(1)</script>"}
    )
    assert "<script>alert" not in answer.text
    assert re.search(r"category=%3Cscript", answer.text) or answer.status_code == 200
