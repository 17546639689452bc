"""Why somebody looks people up in the directory: stated by software with each request, by people once for a task.

A task is a patient's file or a search of the portal, and lasts no longer than the session. Software states the motive
in the headers `X-Purpose-Of-Use` (a code of HL7 v3 PurposeOfUse) and `X-File-Reference` (docs/decisions/motives.md).
"""

import re
from datetime import timedelta
from urllib.parse import urlencode

from starlette.requests import Request

from esante.core import clock
from esante.core.storage import Database
from esante.core.time_zone import today
from esante.core.web import N_, Problem, Sessions, bad_request, clean_text
from esante.identity.access.authn import motive_store
from esante.identity.access.model import Requester
from esante.identity.access.regulation.policy_set import policy
from esante.identity.access.regulation.terms import LookupMotive
from esante.identity.directory import Motive, current_motive

PURPOSE_HEADER, FILE_HEADER = "x-purpose-of-use", "x-file-reference"
SHORTEST, LONGEST = 2, 64
"""Characters of the reference of a file."""
KEPT = timedelta(hours=24)
"""How long a stated motive stays in the database; it serves for its session only."""
_TASK = re.compile(r"(?:person|search):[\w-]{1,50}")
_PATH = re.compile(r"/(?!/)[\w/-]{0,200}")


def motives_for(kind: str) -> tuple[LookupMotive, ...]:
    """Return the motives that requesters of a kind may state today."""
    return tuple(one for one in policy(today()).motives if kind in one.kinds)


def header_motive(request: Request, requester: Requester) -> Motive:
    """Return the motive in the headers of a request; without them one that is not stated.

    Raises: Problem 400 for a purpose that requesters of this kind may not state, or a reference that is too long.
    """
    purpose = request.headers.get(PURPOSE_HEADER, "").strip()
    reference = request.headers.get(FILE_HEADER, "").strip()
    known = [one.purpose for one in motives_for(requester.kind)]
    if purpose and purpose not in known:
        raise bad_request(
            "X-Purpose-Of-Use",
            N_("This motive does not exist."),
            N_("Use a code from the list in the details."),
            code="value",
            detail=", ".join(known),
        )
    return Motive(purpose, clean_text(reference, 0, LONGEST, "X-File-Reference"))


class Motives:
    """The motives that people at the portal stated for the tasks of their sessions."""

    def __init__(self, db: Database, sessions: Sessions) -> None:
        self._db, self._sessions = db, sessions

    async def find(self, request: Request, task: str) -> Motive | None:
        """Return the motive stated for a task, and use it for the look-ups of the request; None: none is stated."""
        session = await self._sessions.of(request)
        found = await motive_store.fetch_motive(self._db, session.key, task) if session else None
        if found is not None:
            current_motive.set(found)
        return found

    async def require(self, request: Request, task: str) -> None:
        """Use the motive stated for a task for the look-ups of the request.

        Raises: Problem 303 to the page that asks for it, and leads back, when none is stated.
        """
        if await self.find(request, task) is None:
            query = urlencode({"task": task, "to": request.url.path})
            raise Problem(
                303,
                "motive-missing",
                N_("Look-ups in the directory need a motive."),
                headers={"Location": f"/motive?{query}"},
            )

    async def state(self, request: Request, requester: Requester, task: str, purpose: str, reference: str) -> None:
        """Keep the motive of a task for the session of a request.

        Raises: Problem 400 for a task or purpose that does not exist, or a reference that is too short or too long.
        """
        check_task(task)
        if purpose not in {one.purpose for one in motives_for(requester.kind)}:
            raise bad_request("purpose", N_("Choose why you look this person up."), code="value")
        reference = clean_text(reference, SHORTEST, LONGEST, "reference")
        session = await self._sessions.of(request)
        assert session is not None  # whoever has a requester is signed in
        await motive_store.save_motive(self._db, session.key, task, Motive(purpose, reference), clock.now())

    async def tidy(self) -> None:
        """Delete what is older than any session."""
        await motive_store.delete_old(self._db, clock.now() - KEPT)


def check_task(task: str) -> None:
    """Raise Problem 400 for what is no task."""
    if not _TASK.fullmatch(task):
        raise bad_request("task", N_("This page does not exist."), code="value")


def local_path(text: str) -> str:
    """Return a path of this site; the home page for anything else."""
    return text if _PATH.fullmatch(text) else "/"
