"""The measurement over records, its feed and its pages."""

import rdflib
from rdflib.compare import isomorphic

from esante.core.open_data import HEALTH_PREFIXES, encode_jsonld, encode_turtle
from esante.identity.access import requester_of
from esante.services.research.catalogue.dcat import LEGISLATION, build_catalogue
from esante.services.research.catalogue.service import Catalogue
from esante.services.research.pages import catalogue_pages
from tests.support.consent import problem_of
from tests.support.portal_browser import page_text
from tests.support.research import count_entries
from tests.support.research_lake import person_with_result
from tests.support.signed_in_pages import BASE, application_of, browsers_of

HEALTH = rdflib.Namespace("http://healthdataportal.eu/ns/health#")


async def test_measurement_counts_those_who_share_and_is_published_rounded(world, lake, journal, db, monkeypatch):
    monkeypatch.setattr("esante.services.research.catalogue.service.BATCH", 3)
    another = Catalogue(db, journal, world.record, world.directory, lake.opt_outs)
    catalogue = Catalogue(db, journal, world.record, world.directory, lake.opt_outs)
    assert all(one.measured_at is None for one in await catalogue.entries())
    persons = [await person_with_result(world, 12.0 + number) for number in range(8)]
    await lake.opt_outs.change(requester_of(persons[0]), out=True)
    assert await catalogue.start_if_due() and not await catalogue.start()
    assert await catalogue.progress() == 0
    while await catalogue.advance() and await another.advance():  # as after a crash: nothing is kept in a process
        pass
    assert await catalogue.progress() is None and not await catalogue.start_if_due()
    entry = await catalogue.entry("laboratory")
    assert (entry.persons, entry.rows, entry.coverage) == (5, 5, 100), "seven, rounded"
    assert entry.tables[0].years == [(2026, 5)] and entry.level is not None
    assert (await catalogue.entry("vaccination")).rows is None
    assert await count_entries(journal, "research.catalogue_measured") == 1
    await _check_feed(await catalogue.entries())
    await _check_pages(catalogue, world.access)
    assert (await problem_of(catalogue.entry("genome"))).status == 404


async def _check_feed(entries):
    """Both formats are the same graph; the figures in it are the rounded ones."""
    node = build_catalogue(entries, BASE)
    by_turtle = rdflib.Graph().parse(data=encode_turtle(node, HEALTH_PREFIXES), format="turtle")
    by_json = rdflib.Graph().parse(data=encode_jsonld(node, HEALTH_PREFIXES), format="json-ld")
    assert isomorphic(by_turtle, by_json)
    laboratory = rdflib.URIRef(f"{BASE}/research/datasets/laboratory")
    assert by_turtle.value(laboratory, HEALTH.numberOfUniqueIndividuals).toPython() == 5
    assert by_turtle.value(rdflib.URIRef(f"{BASE}/research/datasets/vaccination"), HEALTH.numberOfRecords) is None
    legislation = rdflib.URIRef("http://data.europa.eu/r5r/applicableLegislation")
    assert (laboratory, legislation, rdflib.URIRef(LEGISLATION)) in by_turtle


async def _check_pages(catalogue, access):
    async with browsers_of(application_of(access, catalogue_pages.routes(catalogue, BASE))) as visit:
        anybody = await visit()
        listed = page_text(await anybody.get("/research?q=laboratory"))
        assert "about 5 records of 5 people, 2026" in listed and "Vaccin" not in listed
        assert "Nothing found" in page_text(await anybody.get("/research?q=xyzzy"))
        page = await anybody.get("/research/datasets/laboratory")
        assert "Quality and utility label" in page_text(page) and page.xpath("//svg[contains(@class, 'plot')]")
        assert "data of fewer than 5 people" in page_text(await anybody.get("/research/datasets/vaccination"))
        await anybody.get("/research/datasets/genome", 404)
        assert (await anybody.http.get("/research/catalog.ttl")).headers["content-type"].startswith("text/turtle")
        assert (await anybody.http.get("/research/catalog.jsonld")).json()["@type"] == "dcat:Catalog"
        assert (await anybody.http.get("/research/catalog.pdf")).status_code == 404
