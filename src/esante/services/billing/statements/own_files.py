"""The fee notes of a patient for the export of their own data: a PDF each, which carries the note as XML and FHIR."""

import asyncio
from collections.abc import AsyncIterator

from esante.contract import PersonalFile, Platform
from esante.identity.access import Requester
from esante.services.billing.note.pdf import note_pdf
from esante.services.billing.statements.service import Statements


async def own_files(platform: Platform, requester: Requester, language: str) -> AsyncIterator[PersonalFile]:
    """Yield a PDF of each fee note of a patient, the latest first, in a language; the reading is journalled."""
    async for kept, note, decision in platform[Statements].contents(requester):
        content = None
        if note is not None:
            content = await asyncio.to_thread(note_pdf, note, decision, language, kept.received_at)
        yield PersonalFile(f"{kept.issued_on}-{kept.note_id}.pdf", kept.received_at, content)
