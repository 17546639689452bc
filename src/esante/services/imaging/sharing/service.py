"""Shared studies: make a link to a study, open it with a PIN, see the study for some hours, end the link.

A link that is unknown, over, ended or locked, and a wrong PIN, are answered alike. A study is shown as long as its
person may see it.
"""

import asyncio
import hmac
from datetime import timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.link_secrets import hash_address, hash_pin, new_address, new_pin
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, clean_text, network_of
from esante.identity.access import Access, Disposition, Requester, StepOutcome, policy
from esante.identity.directory import Directory
from esante.services.imaging.archive.service import Archive
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.model import CATEGORY
from esante.services.imaging.sharing import store
from esante.services.imaging.sharing.model import (
    MAX_ACTIVE,
    MAX_ATTEMPTS,
    MAX_LABEL,
    MAX_RECIPIENT,
    VISIT,
    Caller,
    NewShare,
    Share,
    ShareCreated,
    ShareEnded,
    ShareOpened,
    Visit,
)

PATH = "/shared-images"
_SHORTER = (1, 7, 30)
"""Days that are offered beside the usual time."""


class Shares:
    """The links to studies of all persons; `base_url`: the platform's address, `days`: how long links usually work."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        archive: Archive,
        directory: Directory,
        access: Access,
        *,
        base_url: str,
        days: int,
    ) -> None:
        self._db, self._journal, self._archive = db, journal, archive
        self._directory, self._access = directory, access
        self._url, self.days = f"{base_url}{PATH}", days

    @property
    def durations(self) -> tuple[int, ...]:
        """How long a link can work, in days."""
        return tuple(sorted({*(days for days in _SHORTER if days < self.days), self.days}))

    async def create(
        self, requester: Requester, study_uid: str, label: str, days: int, *, downloads: bool
    ) -> NewShare:
        """Make a link to a study of the requester.

        Raises: `Problem` 404 for a study that they do not have, 400 for a time that is not offered, 409 for too many
        links.
        """
        await self._archive.study(requester, study_uid, "share")
        label = clean_text(label, 1, MAX_LABEL, "label")
        if days not in self.durations:
            raise bad_request("days", N_("Choose how long the link works."), code="value")
        now = clock.now()
        if sum(one.is_active(now) for one in await self.shares_of(requester, study_uid)) >= MAX_ACTIVE:
            raise bad_request("label", N_("You have too many links."), N_("End an old one first."), status=409)
        address, pin = new_address(), new_pin()
        share = Share(
            share_id=uuid7(),
            person_id=requester.id,
            study_uid=study_uid,
            label=label,
            downloads=downloads,
            attempts_left=MAX_ATTEMPTS,
            created_at=now,
            expires_at=now + timedelta(days=days),
            ended_at=None,
            end_cause="",
            openings=0,
            opened_at=None,
        )
        hashed = _hash(address)
        row = store.share_row(share, hashed, await asyncio.to_thread(hash_pin, pin, hashed))
        event = ShareCreated(
            purpose="PATRQT",
            categories=(CATEGORY,),
            study_uid=study_uid,
            share_id=share.share_id,
            until=share.expires_at,
        )
        async with self._db.transaction() as conn:
            await insert(conn, [row, *self._journal.rows_for(requester, event, person_id=requester.id)])
        return NewShare(share=share, url=f"{self._url}/{address}", pin=pin)

    async def shares_of(self, requester: Requester, study_uid: str) -> list[Share]:
        """Return the requester's links to a study, the latest first."""
        return await store.find_shares(self._db, requester.id, study_uid)

    async def end(self, requester: Requester, share_id: UUID) -> None:
        """End a link of the requester; doing it twice is doing it once. Raises: `Problem` 404."""
        async with self._db.transaction() as conn:
            found = await store.lock_own(conn, requester.id, share_id)
            if found is None:
                raise _refused()
            hashed, share = found
            if share.ended_at is None:
                await store.end(conn, hashed, clock.now(), "patient")
                await self._journal.append_for(requester, _ended(share, "patient"), person_id=requester.id, conn=conn)

    async def open(self, address: str, recipient: str, pin: str, origin: str) -> str:
        """Begin a visit; return its token, which is stored nowhere.

        Raises: `Problem` 404, always the same, for a link that is unknown, over, ended or locked, and for a wrong PIN;
        400 without the name of a recipient; 429 after too many attempts from a network.
        """
        caller = Caller(clean_text(recipient, 2, MAX_RECIPIENT, "recipient"), origin)
        terms = policy(today())
        limits = {f"imaging-share:{network_of(origin)}": terms.attempts_per_origin}
        await self._access.count_attempts(limits, terms.attempt_window, None, origin)
        hashed = _hash(address)
        given = await asyncio.to_thread(hash_pin, pin, hashed)
        async with self._db.transaction() as conn:
            found = await store.lock_by_address(conn, hashed)
            if found is not None and await self._admit(conn, hashed, found, given, caller):
                token, now = new_address(), clock.now()
                await store.count_opening(conn, hashed, now)
                await insert(conn, [(store.VISIT, (_hash(token), hashed, caller.recipient, now + VISIT))])
                return token
        raise _refused()

    async def visit(self, address: str, token: str, origin: str) -> Visit:
        """Return a visit that goes on. Raises: `Problem` 404, also once the study is gone."""
        hashed, key = _hash(address), _hash(token)
        found = await store.find_visit(self._db, hashed, key, clock.now())
        study = await self._study(found[1]) if found else None
        if found is None or study is None:
            raise _refused()
        return Visit(key=key, caller=Caller(found[0], origin), share=found[1], study=study)

    async def opened(self, visit: Visit, series_uid: str, modality: str, form: str) -> None:
        """Journal that a series is opened, before it is sent: once for each visit.

        Raises: `Problem` 404 for a visit that has ended meanwhile.
        """
        async with self._db.transaction() as conn:
            is_first = await store.add_series(conn, visit.key, f"{form}:{series_uid}")
            if is_first is None:
                raise _refused()
            if is_first:
                event = _opened(visit.share, "pin", visit.study, series_uid=series_uid, modality=modality, form=form)
                await self._journal.append_for(visit.caller, event, person_id=visit.share.person_id, conn=conn)

    async def tidy(self) -> None:
        """Delete the visits whose time is over."""
        await store.delete_visits(self._db, clock.now())

    async def delete_record(self, conn: Connection, disposition: Disposition) -> StepOutcome:
        """Delete the links of a person whose record is deleted."""
        return StepOutcome(await store.delete_of_person(conn, disposition.person_id), finished=True)

    # Steps

    async def _admit(
        self, conn: Connection, hashed: bytes, found: tuple[bytes, Share], given: bytes, caller: Caller
    ) -> bool:
        """Return whether a link is opened, journalled. A wrong PIN takes one of its attempts."""
        expected, share = found
        now = clock.now()
        refusal = "" if share.is_active(now) else "ended" if share.ended_at else "expired"
        if not refusal and not hmac.compare_digest(expected, given):
            refusal = "pin"
            await store.count_wrong_pin(conn, hashed)
        study = None if refusal else await self._study(share)
        if not refusal and study is None:
            refusal = "gone"
        event = _opened(share, refusal or "pin", study, allowed=not refusal)
        await self._journal.append_for(caller, event, person_id=share.person_id, conn=conn)
        if refusal == "pin" and share.attempts_left <= 1:
            await store.end(conn, hashed, now, "attempts")
            await self._journal.append_for(caller, _ended(share, "attempts"), person_id=share.person_id, conn=conn)
        return not refusal

    async def _study(self, share: Share) -> VisibleStudy | None:
        """Return the study of a link as its person sees it now; None once they do not."""
        person = await self._directory.person(share.person_id)
        return await self._archive.shown_to(person, share.study_uid) if person else None


def _hash(address: str) -> bytes:
    return hash_address("esante shared images", address)


def _refused() -> Problem:
    return Problem(404, "not-found", NOT_FOUND)


def _opened(
    share: Share,
    rule: str,
    study: VisibleStudy | None,
    *,
    allowed: bool = True,
    series_uid: str = "",
    modality: str = "",
    form: str = "",
) -> ShareOpened:
    return ShareOpened(
        purpose="PATRQT",
        categories=(CATEGORY,),
        allowed=allowed,
        rule=f"imaging-share.{rule}",
        reason="" if allowed else "refused",
        documents=(study.document.id,) if study else (),
        study_uid=share.study_uid,
        share_id=share.share_id,
        series_uid=series_uid,
        modality=modality,
        form=form,
    )


def _ended(share: Share, cause: str) -> ShareEnded:
    return ShareEnded(
        purpose="PATRQT", categories=(CATEGORY,), study_uid=share.study_uid, share_id=share.share_id, cause=cause
    )
