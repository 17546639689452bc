"""The use cases of claims: a vendor claims installations, and follows what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from asyncpg import UniqueViolationError

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import N_, Page, Problem, bad_request, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester, require_operator
from esante.services.incentives.claims import claim_store
from esante.services.incentives.decisions.model import Claim, ClaimMade, ClaimState
from esante.services.incentives.evidence import evidence_store
from esante.services.incentives.evidence.model import Label, Labels
from esante.services.incentives.schemes.model import Scheme, Unit

PAGE_SIZE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimable:
    """What a vendor may claim today: schemes that are open, and the versions with a label by their kits."""

    schemes: Sequence[Scheme]
    versions: Sequence[Label]


class Claims:
    """Claims of installations."""

    def __init__(self, db: Database, journal: Journal, schemes: Sequence[Scheme]) -> None:
        self._db, self._journal, self._schemes = db, journal, schemes

    async def claimable(self, requester: Requester) -> Claimable:
        """Return what a vendor may claim today. Raises: Problem 403 for others than vendors."""
        vendor_id, day = vendor_of(requester), today()
        schemes = [one for one in self._schemes if one.unit is Unit.INSTALLATION and one.overlaps(day, day)]
        kits = {one.kit for one in schemes}
        labels = Labels(await evidence_store.fetch_labels(self._db)).versions().values()
        own = [one for one in labels if one.vendor_id == vendor_id and one.kit in kits]
        return Claimable(schemes=schemes, versions=sorted(own, key=lambda one: (one.product, one.version)))

    async def make(self, requester: Requester, scheme: str, provider_code: str, version_id: UUID | None) -> Claim:
        """Claim an installation: it is decided from evidence, nothing has to be sent. Return the claim.

        A claim after the deadline is taken, and refused with that reason.

        Raises: Problem 403 for others than vendors, 400 for a scheme that is not open, a wrong code or a version
        without a label, 409 for a practice that this vendor has claimed.
        """
        open_now = await self.claimable(requester)
        code = provider_code.replace("-", "").replace(" ", "")
        if scheme not in {one.key for one in open_now.schemes}:
            raise bad_request("scheme", N_("Choose an incentive that is open."), code="value")
        if not (code.isascii() and code.isdigit() and len(code) == 8):
            raise bad_request("provider_code", N_("A provider code has eight digits."), code="value")
        label = next((one for one in open_now.versions if one.version_id == version_id), None)
        if label is None:
            raise bad_request("version", N_("Choose a version of yours that has the label."), code="value")
        claim = Claim(
            claim_id=uuid7(),
            scheme=scheme,
            provider_code=code,
            version_id=label.version_id,
            product=label.product,
            version=label.version,
            vendor_id=label.vendor_id,
            vendor=label.vendor,
            made_at=clock.now(),
            made_on=today(),
            made_by=requester.name,
            state=ClaimState.OPEN,
        )
        event = ClaimMade(claim_id=claim.claim_id, scheme=scheme, provider_code=code, version_id=label.version_id)
        try:
            async with self._db.transaction() as conn:
                await insert(conn, [claim_store.claim_row(claim), *self._journal.rows_for(requester, event)])
        except UniqueViolationError as error:
            raise Problem(
                409, "conflict", N_("You have claimed this practice already."), place="provider_code"
            ) from error
        return claim

    async def own(self, requester: Requester, text: str, cursor: str | None) -> Page[Claim]:
        """Return a page of a vendor's claims, the newest first. Raises: Problem 403, 400 for a wrong cursor."""
        return await self._page(vendor_of(requester), text, "", cursor)

    async def all(self, requester: Requester, text: str, state: str, cursor: str | None) -> Page[Claim]:
        """Return a page of all claims, for operators, the newest first. Raises: Problem 403, 400."""
        require_operator(requester)
        return await self._page(None, text, state, cursor)

    async def _page(self, vendor_id: UUID | None, text: str, state: str, cursor: str | None) -> Page[Claim]:
        before = decode_uuid_cursor(cursor)
        found = await claim_store.fetch_page(self._db, vendor_id, text, state, before, PAGE_SIZE + 1)
        more = encode_cursor(found[PAGE_SIZE - 1].claim_id) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], more)


def vendor_of(requester: Requester) -> UUID:
    """Return the vendor for whom somebody acts. Raises: Problem 403 for others than vendors."""
    if requester.kind != "vendor" or requester.organization_id is None:
        raise Problem(403, "forbidden", N_("Only vendors of software can do this."))
    return requester.organization_id
