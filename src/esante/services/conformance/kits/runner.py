"""Run a kit against a target: each check in turn, within a time, its outcome with the transcript."""

import asyncio
import logging
from collections.abc import Mapping

import httpx

from esante.core import clock
from esante.core.storage import uuid7
from esante.core.types import Progress
from esante.services.conformance.kits.model import Fault, Kit, NotApplicable, Outcome, Requirement, Run, Verdict
from esante.services.conformance.kits.session import LOOPBACK, Session

log = logging.getLogger(__name__)
CHECK_SECONDS = 60.0
"""The time that one check may take."""
LONGEST_FINDING = 1_000
"""Characters of what was found: targets choose parts of it."""


async def run_kit(
    kit: Kit,
    target: str,
    options: Mapping[str, str],
    progress: Progress,
    transport: httpx.AsyncBaseTransport | None = None,
    listen: str = LOOPBACK,
) -> Run:
    """Run all checks of a kit against a target, an address; return the run. A fault of a target raises nothing.

    `transport` and `listen` as in `Session`.
    """
    started_at, outcomes = clock.now(), dict[str, Outcome]()
    secrets = [options[one.name] for one in kit.options if one.secret and options.get(one.name)]
    session = Session(target, options, transport, listen, secrets)
    try:
        for number, requirement in enumerate(kit.requirements, 1):
            outcomes[requirement.id] = await _outcome(kit, requirement, session, outcomes)
            progress(number, len(kit.requirements), requirement.id)
    finally:
        await session.close()
    return Run(
        id=uuid7(),
        kit=kit.name,
        kit_version=kit.version,
        target=target,
        started_at=started_at,
        ended_at=clock.now(),
        outcomes=tuple(outcomes.values()),
    )


async def _outcome(kit: Kit, requirement: Requirement, session: Session, before: Mapping[str, Outcome]) -> Outcome:
    missing = [name for name in requirement.needs if before[name].verdict in (Verdict.FAILED, Verdict.BLOCKED)]
    if missing:
        what = f"It builds on {', '.join(missing)}."
        return Outcome(requirement=requirement.id, verdict=Verdict.BLOCKED, what=what, remedy="Mend that first.")
    verdict, what, remedy = Verdict.PASSED, "", ""
    try:
        await asyncio.wait_for(kit.checks[requirement.id](session), CHECK_SECONDS)
    except Fault as fault:
        verdict, what, remedy = Verdict.FAILED, fault.what, fault.remedy
    except NotApplicable as reason:
        verdict, what = Verdict.NOT_APPLICABLE, str(reason)
    except TimeoutError:
        verdict, what = Verdict.FAILED, f"The check was not done after {CHECK_SECONDS:.0f} seconds."
        remedy = "Answer each request within ten seconds."
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        log.info("check %s met an answer of another shape", requirement.id, exc_info=True)
        verdict, what = Verdict.FAILED, f"The answer has another shape than the specification's ({error!r:.200})."
        remedy = "Compare the answer in the transcript with the specification."
    exchanges, what = session.take_exchanges(), session.shown(what.encode())[:LONGEST_FINDING]
    return Outcome(requirement=requirement.id, verdict=verdict, what=what, remedy=remedy, exchanges=exchanges)
