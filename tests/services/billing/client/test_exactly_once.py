"""A state machine over the client: networks that fail at any call, crashes at any write, two programs on one queue.

The platform outside is a model with the promises that the real one is tested for: simulating changes nothing, paying
and depositing happen once, and a UUID is on one way only.
"""

import contextlib
import json
import re
import shutil
import tempfile
import uuid
from pathlib import Path

import httpx
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from esante.services.billing.client import Confirmations, FeeNoteClient, NoteQueue, PlatformApi, State, Way
from tests.support.billing_server import note_file

MATRICULE = "1980051000001"


class Crash(BaseException):
    """The end of the program at an instant."""


class Platform:
    """What the platform keeps, and what happens to the next calls."""

    def __init__(self):
        self.simulations, self.payments, self.deposits = {}, {}, {}
        self.fates = []

    def answer(self, request):
        """Answer a request, or lose it, or its answer."""
        fate = self.fates.pop(0) if self.fates else "ok"
        if fate == "before":
            raise httpx.ConnectError("cut")
        if fate == "busy":
            return httpx.Response(503, json={"title": "busy"})
        response = self._handle(request)
        if fate == "after":
            raise httpx.ReadTimeout("cut")
        return response

    def _handle(self, request):
        path = request.url.path
        if path == "/pid/v1/simulations":
            return self._simulate(json.loads(request.content)["idMemoireHonoraire"])
        if path == "/pid/v1/payments":
            return self._pay(json.loads(request.content)["idReponseSimulation"])
        if found := re.fullmatch(r"/pid/v1/notes/(.*)/payment", path):
            payment = self.payments.get(found[1])
            body = {"identifiantInitiationPaiement": payment}
            return httpx.Response(200, json=body) if payment else httpx.Response(404, json={})
        if request.method == "POST":
            (note_id,) = re.findall(rb"_0101_([0-9a-f-]{36})\.xml", request.content)[:1]
            return self._deposit(note_id.decode())
        return httpx.Response(200, json={"status": "RECEIVED"}) if path[-36:] in self.deposits else httpx.Response(404)

    def _simulate(self, note_id):
        if note_id in self.deposits:
            return httpx.Response(409, json={"title": "known"})
        simulation = self.simulations.setdefault(note_id, str(uuid.uuid4()))
        amounts = {"totalPartStatutaire": "50.78", "totalParticipationPersonelle": "6.92", "sommeTotale": "57.70"}
        body = {"identifiantReponseSimulation": simulation, "idMemoireHonoraire": note_id} | amounts
        return httpx.Response(201, json=body)

    def _pay(self, simulation_id):
        (note_id,) = [one for one, known in self.simulations.items() if known == simulation_id] or [""]
        if not note_id:
            return httpx.Response(410, json={"title": "expired"})
        if note_id in self.deposits:
            return httpx.Response(409, json={"title": "known"})
        payment = self.payments.setdefault(note_id, str(uuid.uuid4()))
        return httpx.Response(201, json={"identifiantInitiationPaiement": payment})

    def _deposit(self, note_id):
        if note_id in self.payments or note_id in self.deposits:
            return httpx.Response(409, json={"error_description": "known"})
        self.deposits[note_id] = 1
        return httpx.Response(200, json={"uuid": note_id})

    def expire(self):
        """Let the simulations that were not paid expire."""
        self.simulations = {one: known for one, known in self.simulations.items() if one in self.payments}


class CrashingQueue(NoteQueue):
    """A queue whose program ends before or after one of its next writes."""

    def __init__(self, path):
        super().__init__(path)
        self.crash_at = None

    def save(self, before, **changes):
        if self.crash_at is None:
            return super().save(before, **changes)
        writes, after = self.crash_at
        self.crash_at = (writes - 1, after) if writes else None
        if writes:
            return super().save(before, **changes)
        if after:
            super().save(before, **changes)
        raise Crash


class SendingNotes(RuleBasedStateMachine):
    """Doctors send, confirm, decline; programs and networks fail."""

    notes = Bundle("notes")
    fates = st.lists(st.sampled_from(["ok", "ok", "before", "after", "busy"]), max_size=5)
    crashes = st.none() | st.tuples(st.integers(0, 3), st.booleans())

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp())
        self.platform = Platform()
        self.bodies, self.validated = {}, {}

    def teardown(self):
        if hasattr(self, "folder"):
            self.heal()
            shutil.rmtree(self.folder)

    def client(self, crash_at=None):
        """Return a program that opens the queue."""
        http = httpx.Client(transport=httpx.MockTransport(self.platform.answer))
        queue = CrashingQueue(self.folder / "queue.db")
        queue.crash_at = crash_at
        return FeeNoteClient(PlatformApi("http://platform", "token", "1000000018", http), queue)

    def run(self, act, fates=(), crash_at=None):
        """Let a program act over a network, until it ends or crashes."""
        self.platform.fates = list(fates)
        with contextlib.suppress(Crash):
            act(self.client(crash_at))
        self.platform.fates = []

    @rule(target=notes, fates=fates, crash=crashes, confirmed=st.booleans(), way=st.sampled_from(Way))
    def send(self, fates, crash, confirmed, way):
        note_id = uuid.uuid4()
        body = self.bodies[str(note_id)] = note_file(MATRICULE, id=note_id, gross="57.70")
        self.run(lambda client: client.send(body, self.confirm(confirmed), way), fates, crash)
        return str(note_id)

    @rule(note=notes, fates=fates, crash=crashes, confirmed=st.booleans())
    def send_again(self, note, fates, crash, confirmed):
        self.run(lambda client: client.send(self.bodies[note], self.confirm(confirmed)), fates, crash)

    @rule(note=notes, fates=fates, crash=crashes)
    def decline(self, note, fates, crash):
        self.run(lambda client: client.decline(note), fates, crash)

    @rule(note=notes, fates=fates)
    def pay_while_another_program_declines(self, note, fates):
        def confirm(entry):
            self.client().decline(note)
            return Confirmations()

        self.run(lambda client: client.send(self.bodies[note], confirm), fates)

    @rule()
    def expire(self):
        self.platform.expire()

    @staticmethod
    def confirm(confirmed):
        return lambda entry: Confirmations() if confirmed else None

    def entries(self):
        return {one.id: one for one in NoteQueue(self.folder / "queue.db").entries()}

    @invariant()
    def no_note_is_on_two_ways(self):
        if hasattr(self, "platform"):
            assert not self.platform.payments.keys() & self.platform.deposits.keys()

    @invariant()
    def what_is_shown_is_true(self):
        for one in self.entries().values() if hasattr(self, "folder") else ():
            if one.state is State.PAID:
                assert self.platform.payments[one.id] == one.payment_id
            if one.state is State.DEPOSITED:
                assert one.id in self.platform.deposits
            assert one.state is not State.REFUSED
            assert not (one.way is Way.RA and one.validating)

    def heal(self):
        """With a network again every note in the queue ends, as the platform knows it."""
        for note_id in self.entries():
            self.run(lambda client, note_id=note_id: client.advance(note_id, self.confirm(True)))
        for one in self.entries().values():
            assert one.state in (State.PAID, State.DEPOSITED)
        self.what_is_shown_is_true()


TestSendingNotes = SendingNotes.TestCase
TestSendingNotes.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
