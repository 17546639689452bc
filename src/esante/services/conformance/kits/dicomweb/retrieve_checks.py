"""Retrieving images, their metadata, frames and pictures (WADO-RS)."""

from esante.services.conformance.kits.checks import Checks, expect, expect_status
from esante.services.conformance.kits.dicomweb.images import (
    DICOM,
    PIXELS,
    headers_of,
    parts_of,
    read_image,
    value_of,
)
from esante.services.conformance.kits.dicomweb.search_checks import UNKNOWN_UID
from esante.services.conformance.kits.dicomweb.store_checks import stored_study
from esante.services.conformance.kits.session import Reply, Session

CHECKS = Checks()
_FILES = f'multipart/related; type="{DICOM}"'
_FRAMES = 'multipart/related; type="application/octet-stream"'
_INSTANCE_UID, _PIXEL_DATA = "00080018", "7FE00010"
_PICTURES = {"image/png": b"\x89PNG\r\n", "image/jpeg": b"\xff\xd8\xff"}


async def _get(session: Session, path: str, accept: str) -> Reply:
    return await session.send("GET", path, headers=headers_of(session, accept))


@CHECKS.of("DW-20")
async def _study(session: Session) -> None:
    study = stored_study(session)
    reply = await _get(session, study.path, _FILES)
    expect_status(reply, 200, remedy="Serve the images of a study.")
    found = {str(read_image(one).SOPInstanceUID) for one in parts_of(reply)}
    expect(found == set(study.instances), f"{len(found)} images were sent, not 2.", "Send all images of the study.")


@CHECKS.of("DW-21")
async def _image(session: Session) -> None:
    study = stored_study(session)
    reply = await _get(session, study.instance_path(), _FILES)
    expect_status(reply, 200, remedy="Serve an image at its address.")
    parts = parts_of(reply)
    expect(len(parts) == 1, f"{len(parts)} parts were sent.", "Send the one image.")
    found, stored = read_image(parts[0]), read_image(study.files[0])
    differing = [one.keyword for one in stored if one != found.get(one.tag)]
    expect(not differing, f"{', '.join(differing)} differs from what was stored.", "Return images as they came.")


@CHECKS.of("DW-22")
async def _metadata(session: Session) -> None:
    study = stored_study(session)
    reply = await _get(session, f"{study.path}/metadata", "application/dicom+json")
    expect_status(reply, 200, remedy="Serve the metadata of a study.")
    found = reply.json()
    named = {value_of(one, _INSTANCE_UID) for one in found}
    expect(named == set(study.instances), f"{len(named)} images are described, not 2.", "Describe all images.")
    inline = [one for one in found if "InlineBinary" in one.get(_PIXEL_DATA, {})]
    expect(not inline, "The pixels are in the metadata.", "Leave them out, or give their BulkDataURI.")


@CHECKS.of("DW-23")
async def _frames(session: Session) -> None:
    study = stored_study(session)
    reply = await _get(session, f"{study.instance_path()}/frames/1", _FRAMES)
    expect_status(reply, 200, remedy="Serve the frames of an image, uncompressed, as application/octet-stream.")
    expect(parts_of(reply) == [PIXELS], "The frame differs from what was stored.", "Send the pixels of the frame.")


@CHECKS.of("DW-24")
async def _no_such_frame(session: Session) -> None:
    study = stored_study(session)
    reply = await _get(session, f"{study.instance_path()}/frames/99", _FRAMES)
    expect_status(reply, 404, 400, remedy="Refuse a frame that the image does not have.")


@CHECKS.of("DW-25")
async def _rendered(session: Session) -> None:
    study = stored_study(session)
    for media, beginning in _PICTURES.items():
        reply = await _get(session, f"{study.instance_path()}/rendered", media)
        expect_status(reply, 200, remedy=f"Offer pictures as {media}.")
        given = reply.headers.get("content-type", "").partition(";")[0]
        correct = given == media and reply.body.startswith(beginning)
        expect(correct, f"The picture has the media type {given!r}.", f"Send a picture in {media}.")


@CHECKS.of("DW-26")
async def _unknown_study(session: Session) -> None:
    for path, accept in ((f"studies/{UNKNOWN_UID}", _FILES), (f"studies/{UNKNOWN_UID}/metadata", "*/*")):
        expect_status(await _get(session, path, accept), 404, remedy="Answer 404 for a study that is not there.")


@CHECKS.of("DW-27")
async def _not_acceptable(session: Session) -> None:
    study = stored_study(session)
    reply = await _get(session, study.path, "text/html")
    expect_status(reply, 406, remedy="Refuse to send images in formats that are not offered by 406.")
