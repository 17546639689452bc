"""The checks of deposits: the way out without immediate payment, the package, retries, cancellation."""

import asyncio
import re
from decimal import Decimal
from typing import Any

from esante.services.conformance.kits.checks import Checks, expect
from esante.services.conformance.kits.ra_pid.driver import (
    EHEALTH_ID,
    MATRICULE,
    PROVIDER_CODE,
    TOKEN,
    as_uuid,
    calls,
    confirm,
    new_note,
    order,
    sandbox_of,
    send_note,
    stays_without,
    wait_for_state,
)
from esante.services.conformance.kits.ra_pid.package import (
    FILE_NAME,
    NAMESPACE,
    children,
    local_name,
    need,
    need_block,
    parse,
    text_at,
    unzip,
)
from esante.services.conformance.kits.ra_pid.sandbox import SLOW_SECONDS, Call, package_note_id
from esante.services.conformance.kits.session import Session

CHECKS = Checks()
_MANY = 10
_AMOUNT = re.compile(r"[0-9]+\.[0-9]{2}")
_AMOUNTS = ("montantBrut", "partPersonelle", "sousTotal", "report", "acompteADeduire", "aPayer")
GROWTH = 1.2
"""How much longer at least the second pause between attempts is than the first."""


@CHECKS.of("RP-22")
async def _fallback(session: Session) -> None:
    sandbox_of(session).fail("SIM", *["503"] * _MANY)
    session.values["fallback"] = sent = await send_note(session)
    session.values["deposit"] = (await calls(session, sent, "DEPOSIT"))[0]


@CHECKS.of("RP-23")
async def _same_uuid(session: Session) -> None:
    given, wanted = package_note_id(session.value("deposit").body), session.value("fallback").uuid
    expect(given == wanted, f"The UUID became {given}.", "Deposit the note with the UUID that it has.")


@CHECKS.of("RP-24")
async def _fallback_is_shown(session: Session) -> None:
    await wait_for_state(session, session.value("fallback").uuid, "deposited")


@CHECKS.of("RP-25")
async def _no_payment_after_deposit(session: Session) -> None:
    sandbox, sent = sandbox_of(session), session.value("fallback")
    sandbox.fail("SIM")
    place = sandbox.mark()
    await confirm(session, sent.uuid)
    found = await stays_without(session, place, "SIM", "VAL")
    expect(not found, "After the deposit a payment was asked for.", "A deposited note is not paid as well.")


def _deposit(session: Session) -> Call:
    call: Call = session.value("deposit")
    return call


@CHECKS.of("RP-26")
async def _ehealth_id(session: Session) -> None:
    given = _deposit(session).parts["ehealth_id"]
    expect(given == EHEALTH_ID, f"The path has {given!r}.", "Put the eHealthID, 10 digits, into the path.")


@CHECKS.of("RP-27")
async def _media_type(session: Session) -> None:
    media = _deposit(session).headers.get("content-type", "").partition(";")[0]
    expect(media == "application/zip", f"Content-Type is {media!r}.", "Send application/zip.")


@CHECKS.of("RP-28")
async def _one_file(session: Session) -> None:
    found = unzip(_deposit(session).body)
    expect(len(found) == 1, f"The ZIP has {len(found)} files.", "Put exactly one file into it.")
    session.values["file_name"], session.values["xml"] = found[0]


@CHECKS.of("RP-29")
async def _file_name(session: Session) -> None:
    name = session.value("file_name")
    remedy = "Name it F90dddddd<yyyymm>_MED_MHM_ddd_dd01_<UUID>.xml."
    expect(FILE_NAME.fullmatch(name), f"The file is called {name[:120]!r}.", remedy)
    month = session.value("fallback").note["issued_on"].replace("-", "")[:6]
    expect(name[9:15] == month, f"The name has the month {name[9:15]!r}.", "Name the month of the note.")


@CHECKS.of("RP-30")
async def _xml(session: Session) -> None:
    content = session.value("xml")
    expect(b"<!DOCTYPE" not in content, "The file has a DOCTYPE.", "Write no document type and no entities.")
    root = parse(content)
    wanted = f"{{{NAMESPACE}}}memoireHonoraire"
    expect(root.tag == wanted, f"The root element is {root.tag}.", f"Write {wanted}.")
    session.values["root"] = root


def _head(session: Session) -> Any:
    return need_block(session.value("root"), "entete")


@CHECKS.of("RP-31")
async def _header(session: Session) -> None:
    head = _head(session)
    given = as_uuid(need(head, "UUID"), "entete/UUID")
    named = package_note_id(_deposit(session).body)
    expect(given == named, f"UUID is {given}; the file's name has {named}.", "Write the same UUID in both.")
    day, wanted = need(head, "dateMemoireHonoraires"), session.value("fallback").note["issued_on"]
    expect(day == wanted, f"dateMemoireHonoraires is {day}.", f"Write {wanted}.")
    need_block(need_block(head, "assure"), "adresse")


@CHECKS.of("RP-32")
async def _biller(session: Session) -> None:
    biller = need_block(_head(session), "facturier")
    code = need(biller, "codePrestataire")
    expect(code == PROVIDER_CODE, f"codePrestataire is {code!r}.", "Write the biller's code, 8 digits.")
    need(biller, "nom")
    need(biller, "adresse", "rue")


@CHECKS.of("RP-33")
async def _patient(session: Session) -> None:
    given, path = need(_head(session), "patient", "matricule"), _deposit(session).parts["matricule"]
    expect(given == MATRICULE, f"matricule is {given!r}.", "Write the 13 digits of the patient.")
    expect(path == given, f"The path has {path!r}.", "Put the same matricule into the path.")


@CHECKS.of("RP-34")
async def _lines(session: Session) -> None:
    lines, note = children(session.value("root"), "prestation"), session.value("fallback").note
    expect(len(lines) == 2, f"There are {len(lines)} prestation.", "Write one for each line.")
    for number, (line, given) in enumerate(zip(lines, note["lines"], strict=True), 1):
        need(line, "numeroLigne")
        for wanted, path in (
            (given["on"], ("periode", "dateDebut")),
            (given["code"], ("acte", "codeActe")),
            (str(given["quantity"]), ("nombre",)),
        ):
            found = need(line, *path)
            expect(found == wanted, f"{'/'.join(path)} of line {number} is {found!r}.", f"Write {wanted}.")


@CHECKS.of("RP-35")
async def _decimals(session: Session) -> None:
    elements = [one for one in session.value("root").iter() if local_name(one) in _AMOUNTS]
    wrong = [f"{local_name(one)} {one.text}" for one in elements if not _AMOUNT.fullmatch(str(one.text or "").strip())]
    expect(elements and not wrong, f"Amounts: {', '.join(wrong) or 'none'}.", "Write amounts with two decimals.")


@CHECKS.of("RP-36")
async def _sum(session: Session) -> None:
    lines = children(session.value("root"), "prestation")
    total = sum((Decimal(need(line, "montantBrut")) for line in lines), Decimal(0))
    given = Decimal(need(session.value("root"), "paiement", "sousTotal"))
    expect(given == total, f"sousTotal is {given}, the lines make {total}.", "Add up the gross amounts of the lines.")


@CHECKS.of("RP-37")
async def _settlement(session: Session) -> None:
    block = need_block(session.value("root"), "paiement")
    need(block, "aPayer")
    currency, receipt = text_at(block, "devise"), text_at(block, "acquitte")
    expect(currency == "EUR", f"devise is {currency!r}.", "Write EUR.")
    expect(receipt in ("true", "false", "0", "1"), f"acquitte is {receipt!r}.", "Write whether it was paid.")


@CHECKS.of("RP-38")
async def _retry(session: Session) -> None:
    sandbox_of(session).fail("DEPOSIT", "503", "503")
    session.values["retried"] = sent = await send_note(session, "ra")
    found = (await calls(session, sent, "DEPOSIT", 3))[:3]
    session.values["attempts"] = [call.at for call in found]
    ids = {package_note_id(call.body) for call in found}
    expect(ids == {sent.uuid}, f"The UUIDs of the attempts are {sorted(ids)}.", "Repeat with the same UUID.")


@CHECKS.of("RP-39")
async def _back_off(session: Session) -> None:
    first, second, third = session.value("attempts")
    pauses = second - first, third - second
    what = f"The pauses were {pauses[0]:.2f} and {pauses[1]:.2f} seconds."
    expect(pauses[1] >= GROWTH * pauses[0], what, "Wait longer after each attempt that fails.")


@CHECKS.of("RP-40")
async def _known_note(session: Session) -> None:
    sandbox_of(session).fail("DEPOSIT", "lost")
    sent = await send_note(session, "ra")
    await calls(session, sent, "DEPOSIT", 2)
    await wait_for_state(session, sent.uuid, "deposited")


@CHECKS.of("RP-41")
async def _refusal(session: Session) -> None:
    sandbox_of(session).fail("DEPOSIT", *["refused"] * _MANY)
    sent = await send_note(session, "ra")
    await calls(session, sent, "DEPOSIT")
    found = await wait_for_state(session, sent.uuid, "refused")
    expect(found.get("cause"), "The cause is not shown.", "Show what the platform says.")
    again = await stays_without(session, sent.place, "DEPOSIT")
    sandbox_of(session).fail("DEPOSIT")
    expect(len(again) == 1, f"It was sent {len(again)} times.", "Do not repeat what was refused.")


@CHECKS.of("RP-42")
async def _slow_answer(session: Session) -> None:
    sandbox_of(session).fail("DEPOSIT", "slow")
    sent = await send_note(session, "ra")
    await calls(session, sent, "DEPOSIT")
    await asyncio.sleep(SLOW_SECONDS / 2)
    found = sandbox_of(session).since(sent.place, "DEPOSIT")
    await wait_for_state(session, sent.uuid, "deposited")
    expect(len(found) == 1, f"{len(found)} calls at once.", "Wait for the answer before you call again.")


@CHECKS.of("RP-43")
async def _own_uuid(session: Session) -> None:
    note = new_note(session)
    first, second = await send_note(session, "ra", note), await send_note(session, "ra", note)
    expect(first.uuid != second.uuid, "Two notes have the same UUID.", "Give each note a UUID of its own.")


@CHECKS.of("RP-44")
async def _cancel(session: Session) -> None:
    sent = await send_note(session, "ra")
    await wait_for_state(session, sent.uuid, "deposited")
    await order(session, "cancel", uuid=sent.uuid, reason="Wrong day")
    call = (await calls(session, sent, "CANCEL"))[0]
    session.values["cancelled"], session.values["cancel"] = sent, call
    named = call.parts["note_id"].lower()
    expect(named == sent.uuid, f"The path has {named}.", "Name the note that is cancelled.")
    expect(not call.body, "The call has a body, which replaces the note.", "Send no body to cancel only.")


@CHECKS.of("RP-45")
async def _reason(session: Session) -> None:
    reason = session.value("cancel").headers.get("x-cancel-reason", "")
    expect(0 < len(reason) <= 200, f"The reason has {len(reason)} characters.", "Say why in X-Cancel-Reason.")


@CHECKS.of("RP-46")
async def _cancelled_is_shown(session: Session) -> None:
    await wait_for_state(session, session.value("cancelled").uuid, "cancelled")


@CHECKS.of("RP-47")
async def _replace(session: Session) -> None:
    sent = await send_note(session, "ra")
    await wait_for_state(session, sent.uuid, "deposited")
    await order(session, "cancel", uuid=sent.uuid, reason="Wrong act", note=new_note(session))
    call = (await calls(session, sent, "CANCEL"))[0]
    expect(call.parts["note_id"].lower() == sent.uuid, "The path names another note.", "Name the note replaced.")
    new = package_note_id(call.body)
    expect(new and new != sent.uuid, f"The UUID of the new note is {new or 'missing'}.", "Send the new note.")


@CHECKS.of("RP-48")
async def _addresses(session: Session) -> None:
    wrong = [call.path for call in sandbox_of(session).calls if call.query or TOKEN in call.path]
    expect(not wrong, f"Addresses with data: {wrong[:3]}.", "Put token and data into header and body only.")
