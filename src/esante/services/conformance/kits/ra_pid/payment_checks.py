"""The checks of immediate payment: simulation, confirmation, payment, a lost answer."""

from esante.services.conformance.kits.checks import Checks, expect
from esante.services.conformance.kits.ra_pid.driver import (
    MATRICULE,
    PROVIDER_CODE,
    TARIFFS,
    TOKEN,
    as_uuid,
    calls,
    confirm,
    read_state,
    sandbox_of,
    send_note,
    stays_without,
    wait_for_state,
)
from esante.services.conformance.kits.ra_pid.sandbox import CONFIRMATIONS, Answer, Call, open_sandbox
from esante.services.conformance.kits.session import Session

CHECKS = Checks()


@CHECKS.of("RP-01")
async def _driver(session: Session) -> None:
    def record(call: Call, answer: Answer | None) -> None:
        is_package = call.headers.get("content-type", "").startswith("application/zip")
        body = f"ZIP, {len(call.body)} bytes".encode() if is_package and call.body else call.body
        status, content = answer or (0, "no answer, on purpose")
        session.received(call.method, call.path, body, status, content)

    sandbox = await session.open_until_end.enter_async_context(open_sandbox(session.listen, TARIFFS, record))
    session.values["sandbox"] = sandbox
    session.values["first"] = await send_note(session)


@CHECKS.of("RP-02")
async def _simulation(session: Session) -> None:
    first = session.value("first")
    session.values["sim"] = call = (await calls(session, first, "SIM"))[0]
    media = call.headers.get("content-type", "").partition(";")[0]
    expect(media == "application/json" and call.json(), f"The body is {media!r}.", "Send a JSON object.")
    before = [one.step for one in sandbox_of(session).since(first.place)]
    expect(before[0] == "SIM", f"The first call is {before[0]}.", "Simulate first.")


def _sim(session: Session) -> Call:
    call: Call = session.value("sim")
    return call


@CHECKS.of("RP-03")
async def _token(session: Session) -> None:
    given = _sim(session).headers.get("authorization", "")
    expect(given == f"Bearer {TOKEN}", "Authorization is missing or has another token.", "Send the order's token.")


@CHECKS.of("RP-04")
async def _biller(session: Session) -> None:
    given = _sim(session).json().get("identifiantFacturier")
    expect(given == PROVIDER_CODE, f"identifiantFacturier is {given!r}.", f"Send {PROVIDER_CODE}, as text.")


@CHECKS.of("RP-05")
async def _matricule(session: Session) -> None:
    given = _sim(session).json().get("matricule")
    expect(given == MATRICULE, f"matricule is {given!r}.", "Send the 13 digits of the patient, as text.")


@CHECKS.of("RP-06")
async def _note_id(session: Session) -> None:
    given = as_uuid(_sim(session).json().get("idMemoireHonoraire"), "idMemoireHonoraire")
    wanted = session.value("first").uuid
    expect(given == wanted, f"idMemoireHonoraire is {given}, not {wanted}.", "Send the UUID that the order was given.")


@CHECKS.of("RP-07")
async def _issued_on(session: Session) -> None:
    given, wanted = _sim(session).json().get("dateEtablissementMemoireHonoraire"), session.value("first").note
    expect(given == wanted["issued_on"], f"The date is {given!r}.", f"Send {wanted['issued_on']}.")


@CHECKS.of("RP-08")
async def _line_ids(session: Session) -> None:
    lines = _sim(session).json().get("lignes", [])
    ids = {as_uuid(line.get("identifiantExternePrestation"), "identifiantExternePrestation") for line in lines}
    expect(len(ids) == len(lines) == 2, f"{len(ids)} UUIDs for {len(lines)} lines.", "Give each line a UUID.")


@CHECKS.of("RP-09")
async def _acts(session: Session) -> None:
    lines = _sim(session).json().get("lignes", [])
    given = [(line["acte"]["codeActe"], line["acte"].get("nombre", 1)) for line in lines]
    expect(given == [("C1", 1), ("E20", 2)], f"The acts are {given}.", "Send code and number of each line.")


@CHECKS.of("RP-10")
async def _places(session: Session) -> None:
    lines, note = _sim(session).json().get("lignes", []), session.value("first").note
    days = [line.get("dateDebutPrestation") for line in lines]
    places = [line.get("lieuDePrestation") for line in lines]
    expect(places == ["01", "01"], f"lieuDePrestation is {places}.", "Send the place, two characters.")
    expect(days == [note["issued_on"]] * 2, f"dateDebutPrestation is {days}.", "Send the day of each line.")


@CHECKS.of("RP-11")
async def _nothing_before_confirmation(session: Session) -> None:
    found = await stays_without(session, session.value("first").place, "VAL", "DEPOSIT")
    steps = [call.step for call in found]
    expect(not found, f"Without a confirmation came: {steps}.", "Wait for the confirmations before you pay.")


@CHECKS.of("RP-12")
async def _shares(session: Session) -> None:
    first = session.value("first")
    found = (await wait_for_state(session, first.uuid, "simulated")).get("shares")
    wanted = {"statutory": "72.43", "personal": "9.87", "total": "82.30"}
    expect(found == wanted, f"The shares shown are {found}.", f"Show the shares of the simulation: {wanted}.")


@CHECKS.of("RP-13")
async def _payment(session: Session) -> None:
    first = session.value("first")
    await confirm(session, first.uuid)
    session.values["val"] = call = (await calls(session, first, "VAL"))[0]
    sims = sandbox_of(session).simulations_of(first.uuid)
    given = call.json().get("idReponseSimulation")
    expect(given in sims, f"idReponseSimulation is {given!r}.", "Name the simulation of this note.")


@CHECKS.of("RP-14")
async def _confirmations(session: Session) -> None:
    body = session.value("val").json()
    wrong = [name for name in CONFIRMATIONS if body.get(name) is not True]
    expect(not wrong, f"{', '.join(wrong)}: not true.", "Send the three confirmations as true once they were given.")


@CHECKS.of("RP-15")
async def _paid(session: Session) -> None:
    first = session.value("first")
    found = await wait_for_state(session, first.uuid, "paid")
    wanted = sandbox_of(session).payment_of(first.uuid)
    expect(found.get("payment") == wanted, f"payment is {found.get('payment')!r}.", "Show the payment's id.")


@CHECKS.of("RP-16")
async def _nothing_after_payment(session: Session) -> None:
    first, place = session.value("first"), sandbox_of(session).mark()
    await confirm(session, first.uuid)
    found = await stays_without(session, place, "SIM", "VAL", "DEPOSIT")
    steps = [call.step for call in found]
    expect(not found, f"For a paid note came again: {steps}.", "Do nothing more for a paid note.")


@CHECKS.of("RP-17")
async def _missing_confirmation(session: Session) -> None:
    sent = await send_note(session)
    await wait_for_state(session, sent.uuid, "simulated")
    await confirm(session, sent.uuid, patient=False)
    found = await stays_without(session, sent.place, "VAL")
    claimed = [call for call in found if call.json().get(CONFIRMATIONS[1]) is True]
    expect(not claimed, "The patient's confirmation was claimed.", "Never send a confirmation that was not given.")


@CHECKS.of("RP-18")
async def _lost_answer(session: Session) -> None:
    sandbox = sandbox_of(session)
    session.values["lost"] = sent = await send_note(session)
    await wait_for_state(session, sent.uuid, "simulated")
    sandbox.fail("VAL", "lost")
    await confirm(session, sent.uuid)
    first, second = (await calls(session, sent, "VAL", 2))[:2]
    same = first.json().get("idReponseSimulation") == second.json().get("idReponseSimulation")
    expect(same, "The second call names another simulation.", "Repeat the same call until it is answered.")


@CHECKS.of("RP-19")
async def _lost_answer_is_no_deposit(session: Session) -> None:
    found = await stays_without(session, session.value("lost").place, "DEPOSIT")
    what = "The note was deposited, too: it would be paid and reimbursed."
    expect(not found, what, "Never deposit a note whose payment was asked for.")


@CHECKS.of("RP-20")
async def _lost_answer_ends_paid(session: Session) -> None:
    sent = session.value("lost")
    found = await wait_for_state(session, sent.uuid, "paid")
    wanted = sandbox_of(session).payment_of(sent.uuid)
    expect(found.get("payment") == wanted, f"payment is {found.get('payment')!r}.", "Show the payment's id.")


@CHECKS.of("RP-21")
async def _unknown_note(session: Session) -> None:
    shown = await read_state(session, session.value("first").uuid)
    expect(shown.get("uuid") == session.value("first").uuid, "The note shown has another UUID.", "Show its uuid.")
