"""The checks of the sample kit."""

from esante.services.conformance.kits.checks import Checks, expect_status
from esante.services.conformance.kits.session import Session

CHECKS = Checks()


@CHECKS.of("S-01")
async def _answers(session: Session) -> None:
    headers = {"Authorization": f"Bearer {session.options.get('token', 'none')}"}
    reply = await session.send("POST", "ping", json={"name": session.options.get("name", "")}, headers=headers)
    expect_status(reply, 200, remedy="Answer with 200.")


@CHECKS.of("S-02")
async def _answers_again(session: Session) -> None:
    expect_status(await session.send("POST", "ping", json={}), 200, remedy="Answer with 200.")
