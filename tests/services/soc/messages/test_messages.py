"""Messages to contacts: when one is sent, what it says, and what happens when the mail server fails."""

import json
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from esante.core.clock import use_clock
from esante.core.web import LANGUAGES, Problem
from esante.services.soc.messages.mail import mail_server
from esante.services.soc.messages.service import PAUSES, Messages
from tests.support.processes import environment, free_port
from tests.support.signed_in_pages import BASE


class Mail:
    """A mail server as a process, with faults."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        command = [sys.executable, "-m", "tests.support.mail_server", str(self.port), str(folder)]
        self._process = subprocess.Popen(command, env=environment())
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("the mail server does not start")

    def set_faults(self, words):
        """Set what goes wrong from now on."""
        (self.folder / "faults").write_text(words)

    def taken(self):
        """Return the mails that it took, and forget them."""
        path = self.folder / "mails"
        found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        path.unlink(missing_ok=True)
        return found

    def stop(self):
        self._process.terminate()
        self._process.wait(10)


@pytest.fixture(scope="module")
def mail(tmp_path_factory):
    """The mail server."""
    server = Mail(tmp_path_factory.mktemp("mail"))
    yield server
    server.stop()


@pytest.fixture
def messages(world, mail):
    """The use cases of messages, with a mail server that takes everything."""
    mail.set_faults("")
    mail.taken()
    server = mail_server(f"smtp://127.0.0.1:{mail.port}", "soc@agency.example", "")
    return Messages(world.db, world.journal, world.tenants, server, BASE)


async def member(world, name, language="en", email="dr@practice.example"):
    await world.tamper("DELETE FROM soc_message")
    await world.tamper("UPDATE soc_contact SET email = ''")
    tenant, contact = await world.member(name)
    await world.tenants.set_address(world.anna, tenant.tenant_id, contact.id, email, language)
    return tenant, contact


@pytest.mark.parametrize("language", LANGUAGES)
async def test_contact_is_written_to_once_with_the_place_and_nothing_of_the_case(world, messages, mail, language):
    tenant, _ = await member(world, "Cabinet A", language)
    case = await world.case(tenant.tenant_id, playbook="phishing", title="Secret title", subject="secret-pc")
    for _ in range(3):
        await messages.run()
    (found,) = mail.taken()
    assert (found["to"], found["from"]) == ("dr@practice.example", "soc@agency.example")
    assert f"{BASE}/security" in found["text"] and case.reference in found["subject"]
    everything = json.dumps(found)
    assert "ecret" not in everything and "Cabinet A" not in everything and "%(" not in everything
    assert await world.journal_count("soc.message_sent") == 1
    assert "practice.example" not in "".join(await world.journalled("soc.message_sent"))


async def test_languages_have_texts_of_their_own(world, messages, mail):
    texts = set()
    for language in LANGUAGES:
        tenant, _ = await member(world, f"Cabinet {language}", language)
        await world.case(tenant.tenant_id, playbook="phishing")
        await messages.run()
        (found,) = mail.taken()
        texts.add(found["text"].splitlines()[0])
    assert len(texts) == len(LANGUAGES)


async def test_late_step_is_a_second_message_and_a_done_one_none(world, messages, mail):
    tenant, contact = await member(world, "Cabinet B")
    case = await world.case(tenant.tenant_id, playbook="phishing")
    await messages.run()
    assert len(mail.taken()) == 1
    with use_clock(lambda: datetime.now(UTC) + timedelta(days=20)):
        await messages.run()
        assert len(mail.taken()) == 1
        await messages.run()
    assert mail.taken() == [] and len(await messages.of_case(contact, case.case_id)) == 2
    other, _ = await member(world, "Cabinet C")
    await world.tamper("UPDATE soc_case_task SET state = 'done' WHERE case_id <> $1", case.case_id)
    done = await world.case(other.tenant_id, playbook="phishing")
    await world.tamper("UPDATE soc_case_task SET state = 'done' WHERE case_id = $1", done.case_id)
    await messages.run()
    assert mail.taken() == []


async def test_exercise_says_so_in_the_subject(world, messages, mail):
    tenant, _ = await member(world, "Cabinet D")
    alert = await world.exercises.begin(
        world.anna, tenant.tenant_id, title="A message", subject="", level=2, playbook="phishing"
    )
    await world.triage.open_case(world.anna, [alert.alert_id])
    await messages.run()
    (found,) = mail.taken()
    assert found["subject"].startswith("EXERCISE – ")


@pytest.mark.parametrize("fault", ["busy", "later", "hang-up"])
async def test_server_that_fails_is_tried_again_until_it_takes_the_message(world, messages, mail, fault):
    tenant, _ = await member(world, "Cabinet E")
    case = await world.case(tenant.tenant_id, playbook="phishing")
    mail.set_faults(fault)
    await messages.run()
    await messages.run()
    (shown,) = await messages.of_case(world.anna, case.case_id)
    assert (shown.tries, shown.sent_at) == (1, None) and shown.failure and mail.taken() == []
    mail.set_faults("")
    with use_clock(lambda: datetime.now(UTC) + PAUSES[0]):
        await messages.run()
    assert len(mail.taken()) == 1
    (shown,) = await messages.of_case(world.anna, case.case_id)
    assert shown.sent_at is not None and shown.failure == ""


async def test_refused_address_is_given_up_at_once_and_others_are_written_to(world, messages, mail):
    tenant, _ = await member(world, "Cabinet F")
    case = await world.case(tenant.tenant_id, playbook="phishing")
    mail.set_faults("unknown")
    await messages.run()
    (shown,) = await messages.of_case(world.anna, case.case_id)
    assert (shown.next_at, shown.sent_at) == (None, None) and await world.journal_count("soc.message_given_up") == 1


async def test_message_is_given_up_after_the_last_pause(world, messages, mail):
    tenant, _ = await member(world, "Cabinet G")
    case = await world.case(tenant.tenant_id, playbook="phishing")
    mail.set_faults("later")
    moment = datetime.now(UTC)
    for pause in (*PAUSES, timedelta(0)):
        with use_clock(lambda: moment):  # noqa: B023
            await messages.run()  # a run ends with the first message that the server does not take
            await messages.run()
        moment += pause
    (shown,) = [one for one in await messages.of_case(world.anna, case.case_id) if one.kind == "steps"]
    assert (shown.tries, shown.next_at) == (len(PAUSES) + 1, None)
    assert await world.journal_count("soc.message_given_up") >= 1


@pytest.mark.parametrize(
    "email",
    ["x", "a@b", "a b@c.de", "a@b.de\nBcc: x@y.de", "a@b.de,c@d.de", "<a@b.de>", "é@b.de", "a" * 250 + "@b.de"],
)
async def test_wrong_address_is_refused(world, email):
    tenant, contact = await world.member("Cabinet H")
    with pytest.raises(Problem) as caught:
        await world.tenants.set_address(contact, tenant.tenant_id, contact.id, email, "en")
    assert caught.value.status == 400


async def test_contact_changes_their_own_address_and_no_other(world):
    tenant, contact = await world.member("Cabinet I")
    organization = await world.directory.organization(tenant.organization_id)
    colleague = await world.professional(organization)
    await world.tenants.add_contact(world.anna, tenant.tenant_id, colleague.id)
    await world.tenants.set_address(contact, tenant.tenant_id, contact.id, "own@practice.example", "lb")
    _, stranger = await world.member("Cabinet J")
    for who in (contact, stranger):
        with pytest.raises(Problem) as caught:
            await world.tenants.set_address(who, tenant.tenant_id, colleague.id, "x@practice.example", "lb")
        assert caught.value.status == 404
    found = {one.practitioner_id: one.email for one in await world.tenants.contacts(contact, tenant.tenant_id)}
    assert found == {contact.id: "own@practice.example", colleague.id: ""}
    assert "practice.example" not in "".join(await world.journalled("soc.contact_address_changed"))


@pytest.mark.parametrize(("url", "sender"), [("mail.example", "a@b.de"), ("smtp://", "a@b.de"), ("smtp://m", "")])
def test_wrong_setting_names_what_to_set(url, sender):
    with pytest.raises(ValueError, match="ESANTE_SOC_MAIL_SERVER"):
        mail_server(url, sender, "")


async def test_without_a_mail_server_nothing_is_written(world):
    tenant, _ = await member(world, "Cabinet K")
    case = await world.case(tenant.tenant_id, playbook="phishing")
    await world.messages.run()
    assert await world.messages.of_case(world.anna, case.case_id) == []
