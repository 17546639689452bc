"""What the path of a request names: a study that its requester may see, a series, an instance, frames."""

from starlette.requests import Request

from esante.core.web import N_, Problem, bad_request
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory, Person
from esante.services.imaging.archive.service import Archive, not_found
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.ingest.limits import is_uid

MAX_FRAMES = 1_000
"""Frames of a request."""


async def authorize(access: Access, request: Request, letters: str) -> Requester:
    """Return the requester of a request that reads. Raises: Problem 401, 403.

    With a session only pages of ours read, and who types an address: other sites, those of the same domain too, would
    see from a picture of theirs whether it was there, and have it journalled (Fetch Metadata).
    """
    site = request.headers.get("sec-fetch-site", "none")
    if "authorization" not in request.headers and site not in ("same-origin", "none"):
        raise Problem(
            403,
            "forbidden",
            N_("Another website asked for these images."),
            remedy=N_("Open them on our pages, or use a token."),
        )
    return await access.authorize(request, "ImagingStudy", letters)


async def open_study(
    archive: Archive, access: Access, request: Request, action: str
) -> tuple[Requester, VisibleStudy]:
    """Return the requester and the study of a request. Raises: Problem 401, 403, 404."""
    requester = await authorize(access, request, "r")
    if not all(is_uid(request.path_params.get(name, "0")) for name in ("study", "series", "instance")):
        raise not_found()
    return requester, await archive.study(requester, request.path_params["study"], action)


def uids_of(request: Request) -> tuple[str | None, str | None]:
    """Return the UIDs of the series and of the instance in the path, None where it has none."""
    return request.path_params.get("series"), request.path_params.get("instance")


def uids_of_instance(request: Request) -> tuple[str, str]:
    """Return the UIDs of the series and of the instance in the path of an instance."""
    return request.path_params["series"], request.path_params["instance"]


def frame_numbers(request: Request) -> list[int]:
    """Return the numbers of the frames in the path. Raises: Problem 400."""
    parts = request.path_params["frames"].split(",")
    if len(parts) > MAX_FRAMES or not all(part.isascii() and part.isdigit() and len(part) < 9 for part in parts):
        raise bad_request("frames", N_("These are no numbers of frames."), N_("Number frames from 1."), code="value")
    numbers = [int(part) for part in parts]
    if 0 in numbers:
        raise bad_request("frames", N_("These are no numbers of frames."), N_("Number frames from 1."), code="value")
    return numbers


async def patient_of(request: Request, directory: Directory) -> Person | None:
    """Return the person of the parameter `patient` (system|value), None without one. Raises: Problem 422, 429."""
    text = request.query_params.get("patient", "")
    if not text:
        return None
    system, separator, value = text.rpartition("|")
    found = await directory.find_person(system if separator else None, value)
    if found is None:
        raise bad_request(
            "patient",
            N_("This patient does not exist."),
            N_("Search for the patient again by identifier."),
            status=422,
            code="not-found",
        )
    return found
