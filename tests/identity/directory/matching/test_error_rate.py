"""The published error rate: no pair of two persons is certain, in the figures and in a population drawn anew."""

import httpx
import pytest
from bench.match_population import draw_population
from bench.matching import curve, key_of
from starlette.applications import Starlette

from esante.core.time_zone import today
from esante.core.web import HANDLERS
from esante.identity.directory.matching.batch import find_pairs
from esante.identity.directory.matching.error_rate import error_rate
from esante.identity.directory.matching.rules import traits_of
from esante.identity.directory.matching.weights import match_weights
from esante.identity.directory.pages import error_rate as error_rate_pages
from tests.support.directory_entries import MATRICULE


def test_no_certain_pair_is_of_two_persons_and_most_second_entries_are_found():
    weights, population = match_weights(today()), draw_population(3, 6_000)
    entries = {person.id: traits_of(person, MATRICULE) for person in population.persons}
    pairs = list(find_pairs(entries, weights))
    certain = [pair for pair in pairs if pair.agreement.grade == "certain"]
    assert len(certain) > 50
    assert {key_of(pair) for pair in certain} <= population.duplicates
    likely = {key_of(pair) for pair in pairs if pair.agreement.bits >= weights.probable_bits}
    assert len(likely & population.duplicates) > 0.85 * len(population.duplicates)
    recalls = [recall for _, _, recall in curve(pairs, population.duplicates, weights)]
    assert recalls == sorted(recalls, reverse=True)


def test_published_figures_are_of_the_weights_in_force_and_have_no_wrong_certain_pair():
    found = error_rate()
    assert found.weights_from == match_weights(today()).valid_from
    assert found.certain_of_two_persons == 0
    assert found.certain > 1_000
    assert [point.bits for point in found.curve] == sorted(point.bits for point in found.curve)


@pytest.mark.parametrize("language", ["fr", "de", "en", "lb"])
async def test_page_shows_figures_and_plot_to_everybody(language):
    app = Starlette(routes=error_rate_pages.routes(), exception_handlers=HANDLERS)
    headers = {"Accept-Language": language}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://esante.test", headers=headers
    ) as client:
        answer = await client.get(error_rate_pages.PLACE)
    assert answer.status_code == 200
    assert answer.text.count("<polyline") == 2
    assert f"{error_rate().certain:,}".replace(",", "\u202f") in answer.text
