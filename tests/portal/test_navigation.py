"""The navigation of every role, and what waits at its places."""

from types import SimpleNamespace

from esante.contract import NavigationItem
from esante.core.storage import uuid7
from esante.identity.access import Requester, principal_of
from esante.portal.navigation import navigation, waiting_counter


async def five(platform, requester):
    return 5 if requester.name == "Anna" else 0


async def is_anna(platform, requester):
    return requester.name == "Anna"


PLATFORM = SimpleNamespace(
    declared=lambda field: [
        NavigationItem(role="patient", url="/late", label="Late", order=20),
        NavigationItem(role="patient", url="/early", label="Early", order=10, waiting=five),
        NavigationItem(role="everyone", url="/help", label="Help"),
        NavigationItem(role="operator", url="/other", label="Other", waiting=five),
        NavigationItem(role="vendor", url="/some", label="Some", only_for=is_anna),
        NavigationItem(role="vendor", url="/some/waiting", label="Some", only_for=is_anna, waiting=five),
    ]
)


def test_places_are_ordered_and_those_for_everyone_apart():
    places = navigation(PLATFORM)
    assert [place.url for place in places["patient"]] == ["/early", "/late"]
    assert [place.url for place in places["everyone"]] == ["/help"]


async def test_waiting_is_counted_at_the_places_of_the_role():
    count = waiting_counter(PLATFORM, navigation(PLATFORM))
    patient = Requester(kind="patient", id=uuid7(), name="Anna")
    assert await count(principal_of(patient)) == {"/early": 5}
    assert await count(principal_of(Requester(kind="practitioner", id=uuid7(), name="Anna"))) == {}


async def test_place_for_some_people_is_there_for_those_only():
    count = waiting_counter(PLATFORM, navigation(PLATFORM))
    anna, ben = (Requester(kind="vendor", id=uuid7(), name=name) for name in ("Anna", "Ben"))
    assert await count(principal_of(anna)) == {"/some": 0, "/some/waiting": 5}
    assert await count(principal_of(ben)) == {}
