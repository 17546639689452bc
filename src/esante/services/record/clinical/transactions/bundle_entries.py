"""Rules for the entries of a transaction: which are possible, their order, and their place in issues."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from esante.core.fhir.rest import BundleEntry
from esante.core.web import N_, Problem, bad_request
from esante.services.record.clinical_types import CLINICAL, SUPPORTING
from esante.services.record.errors import Denied

_AT_ONCE = 20
"""The number of entries that are checked together, after which other requests get their turn."""
_BYTES_AT_ONCE = 256 * 1024
"""The largest total size in bytes of several resources checked together, since all are decoded in memory."""
_METHODS = ("DELETE", "POST", "PUT", "PATCH", "GET")


def check_entries(items: Sequence[BundleEntry]) -> None:
    """Raise `Problem` 422, with the place of the entry, for an entry that a transaction cannot have.

    That is another interaction or type, or a second change of one resource.
    """
    changed: dict[tuple[str, str], int] = {}
    for item in items:
        if not _is_possible(item):
            raise bad_request(
                item.place,
                N_("This cannot be part of a transaction."),
                N_(
                    "A Bundle here can only create, change, delete and read clinical resources. Send "
                    "everything else separately."
                ),
                status=422,
                code="not-supported",
                detail=f"{item.method} {item.path}"[:200],
            )
        if item.id and item.method != "GET" and changed.setdefault((item.type, item.id), item.index) != item.index:
            raise invalid_entry(N_("Two entries are about the same resource."), item.place)


def _is_possible(item: BundleEntry) -> bool:
    by_id, is_clinical = bool(item.id), item.type in CLINICAL
    match item.method:
        case "POST":
            return not by_id and not item.query and (is_clinical or item.type in SUPPORTING or item.type == "Patient")
        case "PUT" | "PATCH" | "DELETE":
            return is_clinical and by_id != (item.criteria is not None)
        case "GET":
            return is_clinical and by_id and item.criteria is None
    return False


def processing_order(item: BundleEntry) -> tuple[int, bool]:
    """Return the sort key of an entry in R4's order of methods (http.html, "transaction processing rules").

    Supporting resources come after the others of their method, whose access category they get.
    """
    return _METHODS.index(item.method.replace("PATCH", "PUT")), item.type in SUPPORTING


def group_entries(items: Iterable[BundleEntry]) -> Iterator[list[BundleEntry]]:
    """Yield entries in their order, in groups that are checked together."""
    group: list[BundleEntry] = []
    size = 0
    for item in items:
        own = memoryview(item.body).nbytes
        if group and (len(group) == _AT_ONCE or size + own > _BYTES_AT_ONCE):
            yield group
            group, size = [], 0
        group.append(item)
        size += own
    if group:
        yield group


@contextmanager
def entry_place(item: BundleEntry) -> Iterator[None]:
    """Put the place of the entry before the place in a `Denied` or `Problem` that is raised within."""
    try:
        yield
    except Denied as denied:
        denied.problem.place = _place_in_bundle(item, denied.problem.place)
        raise
    except Problem as problem:
        problem.place = _place_in_bundle(item, problem.place)
        raise


def _place_in_bundle(item: BundleEntry, place: str) -> str:
    if place.startswith(item.type):
        return f"{item.place}.resource{place.removeprefix(item.type)}"
    return place if place.startswith("Bundle") else f"{item.place} {place}".strip()


def invalid_entry(title: str, place: str = "Bundle.entry", detail: str = "", status: int = 422) -> Problem:
    """Return the refusal of an entry; `title` is a msgid."""
    remedy = N_("Correct the entry and send the transaction again.")
    return bad_request(place, title, remedy, status=status, code="value", detail=detail)
