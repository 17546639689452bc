"""The kit of DICOMweb: the platform meets all of it, and each broken twin is told what is broken."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.dicomweb.search_checks import UNKNOWN_UID
from esante.services.conformance.kits.dicomweb.store_checks import ALSO_NO_DICOM, NO_DICOM
from esante.services.conformance.kits.model import Run
from tests.support.broken_twins import Answer, Change, Twin, at, drop_header, edit, remember, replace_status
from tests.support.kit_world import KitWorld, assert_only_fault, not_passed, twin_cases

KIT = kits()["dicomweb"]
_IMAGE = r"/instances/[\d.]+$"
_STUDY = r"/studies/[\d.]+$"


async def run(world: KitWorld, change: Change = lambda *_: None) -> Run:
    """Run the kit against a twin of the world."""
    options = {
        "token": world.options["token"],
        "patient-id": "person-0",
        "patient-name": "Weber0^Anna",
        "birth-date": "19800517",
        "sex": "F",
    }
    return await world.run("dicomweb", options, Twin(change), path="/dicomweb")


async def test_platform_meets_every_requirement(kit_world: KitWorld) -> None:
    found = await run(kit_world)
    assert not_passed(found) == []
    assert found.passed and len(found.outcomes) == len(KIT.requirements) == 27
    assert kit_world.options["token"] not in str(found.outcomes)


def _ending(pattern: str, change: Callable[[httpx.Request, Answer], Answer | None]) -> Change:
    """Return a change of successful answers to GET whose address ends as a pattern says."""

    def apply(request: httpx.Request, answer: Answer) -> Answer | None:
        wanted = request.method == "GET" and re.search(pattern, str(request.url)) and answer.status == 200
        return change(request, answer) if wanted else None

    return apply


def _replace(old: bytes, new: bytes) -> Change:
    return lambda _, answer: Answer(answer.status, answer.headers, answer.body.replace(old, new))


def _media_type(value: str) -> Change:
    return lambda _, answer: Answer(answer.status, answer.headers | {"content-type": value}, answer.body)


def _without(tag: str) -> Change:
    """Return a change that leaves an attribute out of all that is found."""

    def change(found: Any) -> None:
        for one in found:
            one.pop(tag, None)

    return edit(change)


def _one_less(found: Any) -> None:
    found.pop()


def _without_addresses(found: Any) -> None:
    for one in found["00081199"]["Value"]:
        one.pop("00081190")


def _of_store(
    status: int, change: Callable[[httpx.Request, Answer], Answer | None], *, holding: bytes = b""
) -> Change:
    """Return a change of answers of a status to stores that hold some bytes."""

    def apply(request: httpx.Request, answer: Answer) -> Answer | None:
        wanted = request.method == "POST" and answer.status == status and holding in request.content
        return change(request, answer) if wanted else None

    return apply


def _second_time(change: Change) -> Change:
    """Return a change of answers to files that were stored before."""
    sent: list[bytes] = []

    def apply(request: httpx.Request, answer: Answer) -> Answer | None:
        if request.method != "POST" or answer.status != 200:
            return None
        known = request.content in sent
        sent.append(request.content)
        return change(request, answer) if known else None

    return apply


def _thrice(found: Any) -> None:
    found.append(found[0])


def _drop_referenced(answer: Any) -> None:
    answer.pop("00081199")


TWINS: dict[str, Change] = {
    "DW-01": at("GET", "studies?PatientID=1", replace_status(401, 403)),
    "DW-02": _of_store(200, edit(_drop_referenced)),
    "DW-03": _second_time(edit(_without_addresses)),
    "DW-04": _ending(_STUDY[:-1] + "/instances$", edit(_thrice)),
    "DW-05": at("POST", "/studies/", replace_status(409, 200)),
    "DW-06": _of_store(409, replace_status(409, 200), holding=NO_DICOM),
    "DW-07": _of_store(202, replace_status(202, 200), holding=ALSO_NO_DICOM),
    "DW-08": _of_store(415, replace_status(415, 400)),
    "DW-09": _ending(r"studies\?StudyInstanceUID=[\d.]+$", _without("00201208")),
    "DW-10": remember({}, "PatientID=person-0&Study", "PatientID=kit-nobody"),
    "DW-11": remember({}, "StudyDate=2001", "StudyDate=1990"),
    "DW-12": remember({}, "ModalitiesInStudy=CT", "ModalitiesInStudy=MR"),
    "DW-13": at("GET", f"studies?StudyInstanceUID={UNKNOWN_UID}", replace_status(204, 404)),
    "DW-14": _ending("/series$", _without("00201209")),
    "DW-15": _ending(r"/series/[\d.]+/instances$", edit(_one_less)),
    "DW-16": remember({}, "limit=1&offset=0", "limit=1&offset=1"),
    "DW-17": at("GET", "includefield=Rows", _without("00280010")),
    "DW-18": at("GET", "NoSuchAttribute=1", replace_status(400, 200)),
    "DW-19": _ending(r"studies\?StudyInstanceUID=[\d.]+$", drop_header("cache-control")),
    "DW-20": _ending(_STUDY, _media_type("application/octet-stream")),
    "DW-21": _ending(_IMAGE, _replace(b"\xfd\xfe\xff\x00", b"\xfd\xfe\x00\x00")),
    "DW-22": _ending("/metadata$", edit(_one_less)),
    "DW-23": _ending("/frames/1$", _replace(b"\xfd\xfe\xff", b"\xfd\xfe\x00")),
    "DW-24": at("GET", "/frames/99", replace_status(404, 200)),
    "DW-25": _ending("/rendered$", _media_type("text/plain")),
    "DW-26": at("GET", f"/studies/{UNKNOWN_UID}/metadata", replace_status(404, 403)),
    "DW-27": at("GET", "/studies/", replace_status(406, 200)),
}


@pytest.mark.parametrize("broken", twin_cases("dicomweb"))
async def test_broken_twin_is_told_its_fault_and_no_other(kit_world: KitWorld, broken: str) -> None:
    assert_only_fault(await run(kit_world, TWINS[broken]), broken)
