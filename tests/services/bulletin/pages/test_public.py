"""The public pages: what is released is there, what is not is not."""

import pytest
from lxml import etree, html

from esante.core.web import LANGUAGES
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.publication.issue_files import publish
from esante.services.bulletin.releases.published import PublishedReleases
from tests.support.bulletin_client import public_client
from tests.support.bulletin_issue import BASE

PUBLIC = ["/bulletin", "/bulletin/2026-10", "/bulletin/2026-10?version=1", "/bulletin/calendar", "/bulletin/changes",
          "/bulletin/dictionary", "/bulletin/objectives", "/bulletin/query", "/bulletin/2026-10/documents_deposited",
          "/bulletin/query?indicator=documents_deposited&breakdown=origin", "/bulletin/query?turn=yes&from=2026-01",
          "/bulletin/2026-10/documents_deposited/format/application/pdf"]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
async def test_pages_exist_in_every_language_without_inline_script(web, language):
    for path in PUBLIC:
        answer = await web.get(path, headers={"Accept-Language": language})
        assert answer.status_code == 200, path
        page = html.fromstring(answer.text)
        assert page.get("lang") == language
        assert not page.xpath("//@style | //style | //script[not(@src)] | //@onclick"), path
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids)), path


async def test_links_of_pages_resolve(web):
    links = set()
    for path in PUBLIC:
        page = html.fromstring((await web.get(path)).text)
        links |= {url for url in page.xpath("//main//a/@href") if url.startswith("/") and not url.endswith(".pdf")}
    for url in sorted(links)[:: max(1, len(links) // 60)]:
        assert (await web.get(url)).status_code == 200, url


async def test_download_is_published_file(web, releases, tmp_path):
    files = publish(releases.issue_of(releases.find("2026-10")), tmp_path / "again", BASE, synthetic=True)
    for file in files:
        if file.path.suffix in (".csv", ".xlsx", ".parquet", ".json") or file.path.name.endswith("fr.pdf"):
            answer = await web.get(f"/bulletin/files/{file.path.name}")
            assert answer.content == file.path.read_bytes(), file.path.name
            assert answer.headers["content-type"].split(";")[0] == file.media_type


async def test_version_keeps_its_value_after_revision(web, releases):
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
async def test_unreleased_address_is_not_found(web, path):
    assert (await web.get(path)).status_code == 404


async def test_feed_and_catalogue_list_every_version(web, releases):
    feed = etree.fromstring((await web.get("/bulletin/feed.atom")).content)
    assert len(feed.findall("{http://www.w3.org/2005/Atom}entry")) == len(releases.all)
    for form in ("ttl", "jsonld"):
        assert (
            f"{BASE}/bulletin/files/cahier-esante-2026-03-v2.csv" in (await web.get(f"/bulletin/catalog.{form}")).text
        )


async def test_pages_exist_before_first_release(tmp_path):
    async with public_client(PublishedReleases([]), tmp_path) as web:
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
