"""Searches: criteria, order, pages, parts of the result, included resources, wrong parameters."""

from typing import Any

from esante.services.conformance.kits.checks import (
    Checks,
    entries,
    expect,
    expect_outcome,
    expect_resource,
    expect_status,
)
from esante.services.conformance.kits.fhir.observations import (
    CODE,
    DAY,
    LATER_DAY,
    LOINC,
    OTHER_CODE,
    create,
    mark_of,
    new_observation,
    patient_id,
    search_path,
)
from esante.services.conformance.kits.fhir_requests import (
    fhir_get,
    fhir_headers,
    fhir_search,
    found_ids,
    id_of,
    path_of,
)
from esante.services.conformance.kits.session import Session

CHECKS = Checks()


async def _own(session: Session) -> str:
    return id_of(session.value("address"))


async def _expect_found(session: Session, criteria: str, wanted: bool, remedy: str) -> None:
    """Raise `Fault` unless a search with some criteria finds the resource, or does not, as wanted."""
    found = await _own(session) in await found_ids(session, await search_path(session, criteria))
    expect(found == wanted, f"With {criteria[1:]} the resource is {'not ' if wanted else ''}found.", remedy)


@CHECKS.of("FHIR-16")
async def _by_code(session: Session) -> None:
    await _expect_found(session, f"&code={LOINC}|{CODE}&_count=50", True, "Search by patient and code.")
    await _expect_found(session, f"&code={LOINC}|{OTHER_CODE}&_count=50", False, "Compare system and code.")


@CHECKS.of("FHIR-17")
async def _by_date(session: Session) -> None:
    await _expect_found(session, f"&date=ge{DAY}&_count=50", True, "Know the prefix ge.")
    await _expect_found(session, f"&date=lt{DAY}&_count=50", False, "Know the prefix lt.")


@CHECKS.of("FHIR-18")
async def _sorted(session: Session) -> None:
    reply = await create(session, await new_observation(session, LATER_DAY))
    expect_status(reply, 201, remedy="Answer a creation with 201.")
    for order, expected in (("date", sorted), ("-date", lambda days: sorted(days, reverse=True))):
        bundle = await fhir_search(session, await search_path(session, f"&_sort={order}&_count=50"))
        days = [one["effectiveDateTime"][:10] for one in entries(bundle, "Observation")]
        expect(len(set(days)) > 1, f"Only {days} are found.", "Find all observations with the identifier.")
        expect(days == expected(days), f"With _sort={order} the order is {days}.", "Sort by date, both ways.")


@CHECKS.of("FHIR-19")
async def _paging(session: Session) -> None:
    page = await fhir_search(session, await search_path(session, "&_count=1"))
    first = [one["id"] for one in entries(page, "Observation")]
    expect(len(first) == 1, f"The page has {len(first)} resources.", "Obey _count.")
    following = _links(page, "next")
    expect(following, "There is no link next.", "Link the next page.")
    second = [one["id"] for one in entries(await fhir_search(session, path_of(session, following[0])), "Observation")]
    expect(second and not set(second) & set(first), "The next page has the same resource.", "Go on where it ended.")


def _links(bundle: dict[str, Any], relation: str) -> list[str]:
    return [one["url"] for one in bundle.get("link", ()) if one.get("relation") == relation]


@CHECKS.of("FHIR-20")
async def _by_post(session: Session) -> None:
    form = {"patient": await patient_id(session), "identifier": mark_of(session), "_count": "50"}
    headers = fhir_headers(session) | {"Content-Type": "application/x-www-form-urlencoded"}
    reply = await session.send("POST", "Observation/_search", form=form, headers=headers)
    expect_status(reply, 200, remedy="Offer the search by POST, too.")
    found = [one["id"] for one in entries(expect_resource(reply, "Bundle"), "Observation")]
    expect(await _own(session) in found, "The resource is not found.", "Search as by GET.")


@CHECKS.of("FHIR-21")
async def _count_only(session: Session) -> None:
    path = await search_path(session)
    number = len(await found_ids(session, f"{path}&_count=50"))
    bundle = await fhir_search(session, f"{path}&_summary=count")
    counted = bundle.get("total")
    expect(counted == number, f"total is {counted}, not {number}.", "Give the number of matches.")
    expect(not bundle.get("entry"), "There are entries.", "Leave them out with _summary=count.")


@CHECKS.of("FHIR-22")
async def _include(session: Session) -> None:
    bundle = await fhir_search(session, await search_path(session, "&_include=Observation:patient"))
    included = [
        one["resource"].get("id")
        for one in bundle.get("entry", ())
        if one["resource"]["resourceType"] == "Patient" and one.get("search", {}).get("mode") == "include"
    ]
    wanted = [await patient_id(session)]
    what = f"{len(included)} persons are included."
    expect(included == wanted, what, "Include what subject refers to, once, with search.mode include.")


@CHECKS.of("FHIR-23")
async def _self_link(session: Session) -> None:
    patient = await patient_id(session)
    bundle = await fhir_search(session, f"Observation?patient={patient}&unknown-parameter=1&_count=1")
    own = _links(bundle, "self")
    expect(own, "There is no link self.", "Say in link self which search was done.")
    known = "patient" in own[0] and "unknown-parameter" not in own[0]
    expect(known, "The link self names a parameter that was ignored.", "Name those parameters that were applied.")


@CHECKS.of("FHIR-24")
async def _strict(session: Session) -> None:
    path = await search_path(session, "&unknown-parameter=1")
    reply = await fhir_get(session, path, Prefer="handling=strict")
    expect_status(reply, 400, remedy="Refuse unknown parameters where strict handling is asked for.")
    expect_outcome(reply)
