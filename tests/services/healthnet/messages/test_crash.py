"""A server that is killed while messages are sent and acknowledged: what was answered is there afterwards."""

import threading
from pathlib import Path

import httpx
import pytest

from esante.app import open_platform
from esante.command_line import ensure_journal_month
from esante.core.storage import uuid7
from esante.services.healthnet.certificates.service import Certificates
from esante.services.healthnet.messages.service import Messages
from esante.services.healthnet.sites.service import Sites
from esante.settings import Settings
from tests.support.healthnet_messages import MessageWorld
from tests.support.healthnet_world import HealthnetWorld
from tests.support.processes import Server

PATH = "/api/healthnet/messages"


@pytest.fixture
async def two_sites(tmp_path):
    """A data folder with a laboratory and a practice, and the two."""
    data = tmp_path / "data"
    async with open_platform(Settings.from_environ(data=data), migrate=True) as platform:
        await ensure_journal_month(platform)
        world = HealthnetWorld(platform.db, platform.journal)
        world.sites, world.certificates = platform[Sites], platform[Certificates]
        found = MessageWorld(world)
        found.messages = platform[Messages]
        await found.open()
    return data, found


class Sender(threading.Thread):
    """Sends messages, and acknowledges every third, until the server does not answer any more."""

    def __init__(self, base, world):
        super().__init__()
        self._base, self._world = base, world
        self.accepted, self.read, self.asked = {}, {}, {}

    def run(self):
        laboratory, practice = self._world.laboratory, self._world.practice
        with httpx.Client(base_url=self._base, timeout=20) as http:
            try:
                while True:
                    message_id = uuid7()
                    self.asked[message_id] = sealed = laboratory.seal(practice, message_id, b"x" * 3_000)
                    answer = http.put(
                        f"{PATH}/{message_id}", params={"recipient": practice.site.key}, content=sealed,
                        headers=laboratory.header,
                    )  # fmt: skip
                    if answer.status_code != 200:
                        return
                    self.accepted[message_id] = answer.text
                    if len(self.accepted) % 3 == 0:
                        said = {"state": "read"}
                        answer = http.put(f"{PATH}/{message_id}/state", json=said, headers=practice.header)
                        if answer.status_code == 200:
                            self.read[message_id] = answer.text
            except httpx.TransportError:
                return


def kill_while_sending(data: Path, world, wanted):
    """Kill a server in the middle; compare what was answered with what is there, and send the rest again."""
    environ = {"ESANTE_HEALTHNET_CLIENT_CERT": "true"}
    server = Server(data, **environ).start()
    senders = [Sender(server.base, world) for _ in range(3)]
    for one in senders:
        one.start()
    while sum(len(one.accepted) for one in senders) < wanted:
        assert any(one.is_alive() for one in senders), server.log
    server.kill()
    for one in senders:
        one.join()
    accepted = {key: value for one in senders for key, value in one.accepted.items()}
    read = {key: value for one in senders for key, value in one.read.items()}
    asked = {key: value for one in senders for key, value in one.asked.items()}
    with Server(data, **environ) as server, httpx.Client(base_url=server.base, timeout=60) as http:
        listed, cursor = {}, ""
        while cursor is not None:
            page = http.get(f"{PATH}/incoming", params={"cursor": cursor} if cursor else None,
                            headers=world.practice.header).json()  # fmt: skip
            listed |= {one["id"]: one["receipt"] for one in page["messages"]}
            cursor = page["next"]
        for message_id, receipt in accepted.items():
            if message_id in read:
                path = f"{PATH}/{message_id}/receipts"
                found = http.get(path, headers=world.laboratory.header).json()["receipts"]
                assert [one["receipt"] for one in found] == [receipt, read[message_id]]
            elif str(message_id) in listed:
                assert listed[str(message_id)] == receipt
                content = http.get(f"{PATH}/{message_id}/content", headers=world.practice.header)
                assert content.content == asked[message_id]
            else:  # it was read, and the answer was lost
                again = http.put(f"{PATH}/{message_id}/state", json={"state": "read"}, headers=world.practice.header)
                assert again.status_code == 200
        for message_id in asked.keys() - accepted.keys():
            again = http.put(f"{PATH}/{message_id}", params={"recipient": world.practice.site.key},
                             content=asked[message_id], headers=world.laboratory.header)  # fmt: skip
            assert again.status_code == 200
    return len(accepted)


async def test_nothing_that_was_answered_is_lost_when_the_server_is_killed(two_sites):
    data, world = two_sites
    assert kill_while_sending(data, world, 60) >= 60


@pytest.mark.long
@pytest.mark.parametrize("number", range(6))
async def test_nothing_is_lost_in_many_kills(two_sites, number):
    data, world = two_sites
    for wanted in (5, 40, 150):
        kill_while_sending(data, world, wanted + number)
