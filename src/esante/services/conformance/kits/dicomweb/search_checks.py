"""Searching studies, series and images (QIDO-RS)."""

from typing import Any

from esante.services.conformance.kits.checks import Checks, expect, expect_status
from esante.services.conformance.kits.dicomweb.images import STUDY_DATE, headers_of, value_of
from esante.services.conformance.kits.dicomweb.store_checks import stored_study
from esante.services.conformance.kits.session import Session

CHECKS = Checks()
UNKNOWN_UID = "1.2.826.0.1.3680043.8.498.404"
_STUDY_UID, _SERIES_UID, _INSTANCE_UID = "0020000D", "0020000E", "00080018"
_PATIENT_ID, _STUDY_DATE, _MODALITIES, _MODALITY = "00100020", "00080020", "00080061", "00080060"
_IMAGES_OF_STUDY, _IMAGES_OF_SERIES, _ROWS = "00201208", "00201209", "00280010"


async def _search(session: Session, path: str) -> list[dict[str, Any]]:
    """Return what a search finds. Raises: `Fault`."""
    reply = await session.send("GET", path, headers=headers_of(session))
    expect_status(reply, 200, 204, remedy="Answer a search that is allowed with 200, or 204 where nothing is found.")
    found = reply.json() if reply.status == 200 else []
    expect(isinstance(found, list), "The answer is no array.", "Answer with an array of the DICOM JSON model.")
    return list(found)


@CHECKS.of("DW-09")
async def _study(session: Session) -> None:
    study = stored_study(session)
    found = await _search(session, f"studies?StudyInstanceUID={study.study}")
    expect(len(found) == 1, f"{len(found)} studies were found.", "Find the one study that has the UID.")
    wanted = {
        _STUDY_UID: study.study,
        _PATIENT_ID: session.option("patient-id"),
        _STUDY_DATE: STUDY_DATE,
        _MODALITIES: "CT",
        _IMAGES_OF_STUDY: 2,
    }
    wrong = [tag for tag, value in wanted.items() if value_of(found[0], tag) != value]
    expect(not wrong, f"The attributes {', '.join(wrong)} are missing or wrong.", "Return those of PS3.18, 10.6.3.")


async def _expect_found(session: Session, criteria: str, wanted: bool, remedy: str) -> None:
    """Raise `Fault` unless a search with criteria finds the study, or does not, as wanted."""
    study = stored_study(session)
    found = await _search(session, f"studies?{criteria}&StudyInstanceUID={study.study}")
    what = f"With {criteria} the study is {'not ' if wanted else ''}found."
    expect(bool(found) == wanted, what, remedy)


@CHECKS.of("DW-10")
async def _by_patient(session: Session) -> None:
    await _expect_found(session, f"PatientID={session.option('patient-id')}", True, "Search by PatientID.")
    await _expect_found(session, "PatientID=kit-nobody", False, "Compare PatientID.")


@CHECKS.of("DW-11")
async def _by_date(session: Session) -> None:
    await _expect_found(session, "StudyDate=20010101-20011231", True, "Search by a range of StudyDate.")
    await _expect_found(session, "StudyDate=19900101-19901231", False, "Compare StudyDate with the range.")


@CHECKS.of("DW-12")
async def _by_modality(session: Session) -> None:
    await _expect_found(session, "ModalitiesInStudy=CT", True, "Search by ModalitiesInStudy.")
    await _expect_found(session, "ModalitiesInStudy=MR", False, "Compare ModalitiesInStudy.")


@CHECKS.of("DW-13")
async def _nothing(session: Session) -> None:
    found = await _search(session, f"studies?StudyInstanceUID={UNKNOWN_UID}")
    expect(not found, f"{len(found)} studies were found.", "Find nothing for a UID that no study has.")


@CHECKS.of("DW-14")
async def _series(session: Session) -> None:
    study = stored_study(session)
    found = await _search(session, f"{study.path}/series")
    expect(len(found) == 1, f"{len(found)} series were found.", "Find the series of a study.")
    wanted = {_SERIES_UID: study.series, _MODALITY: "CT", _IMAGES_OF_SERIES: 2}
    wrong = [tag for tag, value in wanted.items() if value_of(found[0], tag) != value]
    expect(not wrong, f"The attributes {', '.join(wrong)} are missing or wrong.", "Return those of PS3.18, 10.6.3.")


@CHECKS.of("DW-15")
async def _images(session: Session) -> None:
    study = stored_study(session)
    found = {value_of(one, _INSTANCE_UID) for one in await _search(session, f"{study.series_path}/instances")}
    expect(found == set(study.instances), f"{len(found)} images were found, not 2.", "Find all images of a series.")


@CHECKS.of("DW-16")
async def _pages(session: Session) -> None:
    study, pages = stored_study(session), []
    for offset in (0, 1):
        found = await _search(session, f"{study.path}/instances?limit=1&offset={offset}")
        expect(len(found) == 1, f"With limit=1 {len(found)} images are found.", "Obey limit.")
        pages.append(value_of(found[0], _INSTANCE_UID))
    expect(set(pages) == set(study.instances), "With another offset the same image is found.", "Obey offset.")


@CHECKS.of("DW-17")
async def _further_fields(session: Session) -> None:
    study = stored_study(session)
    found = await _search(session, f"{study.path}/instances?includefield=Rows")
    known = found and all(value_of(one, _ROWS) == 16 for one in found)
    expect(known, "Rows is not among the attributes.", "Add the attributes that includefield names.")


@CHECKS.of("DW-18")
async def _unknown_attribute(session: Session) -> None:
    study = stored_study(session)
    path = f"studies?StudyInstanceUID={study.study}&NoSuchAttribute=1"
    reply = await session.send("GET", path, headers=headers_of(session))
    expect_status(reply, 400, remedy="Refuse attributes that DICOM does not have.")


@CHECKS.of("DW-19")
async def _no_store(session: Session) -> None:
    study = stored_study(session)
    path = f"studies?StudyInstanceUID={study.study}"
    control = (await session.send("GET", path, headers=headers_of(session))).headers.get("cache-control", "").lower()
    expect("no-store" in control or "private" in control, f"Cache-Control is {control!r}.", "Send no-store.")
