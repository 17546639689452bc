"""Storing images (STOW-RS), and what is refused."""

from typing import Any

from esante.services.conformance.kits.checks import Checks, expect, expect_status
from esante.services.conformance.kits.dicomweb.images import (
    DICOM_JSON,
    NewStudy,
    headers_of,
    new_study,
    store,
    value_of,
)
from esante.services.conformance.kits.session import Reply, Session

CHECKS = Checks()
_REFERENCED, _FAILED = "00081199", "00081198"
_INSTANCE_UID, _RETRIEVE_URL, _REASON = "00081155", "00081190", "00081197"
NO_DICOM, ALSO_NO_DICOM = b"no DICOM file at all", b"another text that is no DICOM file"


@CHECKS.of("DW-01")
async def _no_token(session: Session) -> None:
    reply = await session.send("GET", "studies?PatientID=1", headers={"Accept": DICOM_JSON})
    expect_status(reply, 401, remedy="Refuse requests without a token by 401.")


def _items(reply: Reply, tag: str) -> list[dict[str, Any]]:
    """Return the items of a sequence in the answer of a store."""
    found = reply.json()
    return list(found.get(tag, {}).get("Value", ()))


def stored_study(session: Session) -> NewStudy:
    """Return the study that the run stored."""
    study: NewStudy = session.value("study")
    return study


@CHECKS.of("DW-02")
async def _store(session: Session) -> None:
    study = new_study(session)
    reply = await store(session, study.files)
    expect_status(reply, 200, remedy="Answer images that were all stored with 200.")
    named = {value_of(one, _INSTANCE_UID) for one in _items(reply, _REFERENCED)}
    expect(
        named == set(study.instances), f"{len(named)} images are named as stored, not 2.", "Name each stored image."
    )
    session.values["study"] = study


@CHECKS.of("DW-03")
async def _stored_again(session: Session) -> None:
    study = stored_study(session)
    reply = await store(session, study.files)
    expect_status(reply, 200, remedy="Accept images that are stored already, and keep them once.")
    for one in _items(reply, _REFERENCED):
        address = str(value_of(one, _RETRIEVE_URL) or "")
        known = address.endswith(f"{study.path}/series/{study.series}/instances/{value_of(one, _INSTANCE_UID)}")
        expect(known, f"RetrieveURL is {address!r}.", "Give the address of each image.")


@CHECKS.of("DW-04")
async def _kept_once(session: Session) -> None:
    study = stored_study(session)
    reply = await session.send("GET", f"{study.path}/instances", headers=headers_of(session))
    number = len(reply.json()) if reply.status == 200 else 0
    expect(number == 2, f"The study has {number} images after it was stored twice.", "Keep each image once.")


def _expect_failure(reply: Reply, remedy: str) -> None:
    """Raise `Fault` unless an answer refuses all images, with a reason where it is about images."""
    expect_status(reply, 409, 400, remedy=remedy)
    if reply.status == 409:
        reasons = [value_of(one, _REASON) for one in _items(reply, _FAILED)]
        expect(reasons and all(reasons), "The answer gives no FailureReason.", "Give a reason for each image.")


@CHECKS.of("DW-05")
async def _other_study(session: Session) -> None:
    study, other = stored_study(session), new_study(session)
    reply = await store(session, other.files[:1], study.path)
    _expect_failure(reply, "Refuse images of another study than that of the address.")


@CHECKS.of("DW-06")
async def _no_dicom(session: Session) -> None:
    _expect_failure(await store(session, [NO_DICOM]), "Refuse what is no DICOM file.")


@CHECKS.of("DW-07")
async def _partly(session: Session) -> None:
    study = stored_study(session)
    reply = await store(session, [study.files[0], ALSO_NO_DICOM])
    expect_status(reply, 202, remedy="Answer 202 where some images were stored and others not.")
    stored, refused = len(_items(reply, _REFERENCED)), len(_items(reply, _FAILED))
    what = f"{stored} images are named as stored and {refused} as refused."
    expect((stored, refused) == (1, 1), what, "Name each image, stored or refused.")


@CHECKS.of("DW-08")
async def _media_type(session: Session) -> None:
    headers = headers_of(session) | {"Content-Type": "text/plain"}
    reply = await session.send("POST", "studies", content=b"text", headers=headers)
    expect_status(reply, 415, remedy="Refuse other media types by 415.")
