"""The encounter as a state machine, with lost answers and crashes, against a plain twin of the country that is asked."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from esante.services.exchange.country_b import rules
from esante.services.exchange.country_b.model import (
    PRESCRIPTION,
    Act,
    Began,
    Confirmed,
    Document,
    Encounter,
    Ended,
    Found,
    Listed,
    Outcome,
    Patient,
    Prepared,
    Retrieved,
    Searched,
    Settled,
    Taken,
)
from esante.services.exchange.country_b.rules import NotNow, advance

VALID = timedelta(hours=2)
ITEMS = ("a", "b")
FATES = st.sampled_from(("answered", "answer lost", "message lost", "crash before", "crash after", "late"))
DOCUMENTS = tuple(
    Document(
        unique_id=one, repository_id="1", home="1", class_code=PRESCRIPTION, format_code="ep", is_dispensable=True
    )
    for one in ITEMS
)


class EncounterMachine(RuleBasedStateMachine):
    """Each rule does what the service does: check, keep the step, send, keep the answer, if there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 11, 30, 12, tzinfo=UTC)
        self.encounter = Encounter(
            id=UUID(int=1),
            country="PT",
            practitioner_id=UUID(int=2),
            practitioner="",
            organization_id=None,
            organization="",
            began_at=self.now,
        )
        self.counted: dict[str, str] = {}
        """What the country counts: the document that dispenses, by prescription."""
        self.answered: dict[str, bool] = {}
        """Its answer to each document, the same for ever."""
        self.steps: list[Taken] = []
        self.serial = 0
        self.late: list[object] = []
        self.known: dict[str, Outcome] = {}

    def take(self, *steps: object) -> None:
        for step in steps:
            taken = Taken(number=self.encounter.count + 1, at=self.now, step=step)  # type: ignore[arg-type]
            self.steps.append(taken)
            self.encounter = advance(self.encounter, [taken])

    def ask(self, act: Act, about: str, fate: str, answer: object, failure: object) -> None:
        self.take(Began(act=act, about=about))
        if fate == "answered":
            self.take(answer)
        elif fate == "late":
            self.late.append(failure)
            self.now += timedelta(seconds=60)
        elif fate.startswith("crash"):
            self.now += timedelta(seconds=60)
        else:
            self.take(failure)

    @initialize(is_treated=st.booleans())
    def begin(self, *, is_treated: bool) -> None:
        """Begin with nothing, or with what is needed to dispense."""
        if is_treated:
            self.identify("answered", Outcome.IDENTIFIED)
            self.confirm()
            self.list_prescriptions("answered")
            for item in ITEMS:
                self.retrieve("answered", item)

    @rule(seconds=st.integers(1, 1_000))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)

    @rule(fate=FATES, found=st.sampled_from((Outcome.IDENTIFIED, Outcome.NO_MATCH, Outcome.MULTIPLE)))
    def identify(self, fate: str, found: Outcome) -> None:
        """Look for the patient."""
        try:
            rules.may_identify(self.encounter, self.now)
        except NotNow:
            return
        patient = Patient(cx="1^^^&1&ISO") if found is Outcome.IDENTIFIED else None
        self.take(Searched(values={"0": "1"}))
        failed = Found(outcome=Outcome.FAILED)
        self.ask(Act.IDENTIFY, "", fate, Found(outcome=found, patient=patient), failed)

    @rule()
    def confirm(self) -> None:
        """Confirm identity and treatment."""
        try:
            rules.may_confirm(self.encounter, self.now)
        except NotNow:
            return
        self.take(Confirmed(purpose="TREATMENT"))

    @rule(fate=FATES)
    def list_prescriptions(self, fate: str) -> None:
        """List the prescriptions; the twin keeps them open."""
        try:
            rules.may_list(self.encounter, VALID, self.now)
        except NotNow:
            return
        assert not self.unsettled(), "a list while it is unknown whether a dispensation arrived"
        listed = Listed(class_code=PRESCRIPTION, outcome=Outcome.LISTED, documents=DOCUMENTS)
        failed = Listed(class_code=PRESCRIPTION, outcome=Outcome.FAILED)
        self.ask(Act.LIST, PRESCRIPTION, fate, listed, failed)

    @rule(fate=FATES, item=st.sampled_from(ITEMS))
    def retrieve(self, fate: str, item: str) -> None:
        """Retrieve a prescription."""
        try:
            rules.may_retrieve(self.encounter, item, VALID, self.now)
        except NotNow:
            return
        got = Retrieved(unique_id=item, outcome=Outcome.RETRIEVED)
        self.ask(Act.RETRIEVE, item, fate, got, Retrieved(unique_id=item, outcome=Outcome.FAILED))

    @rule(fate=FATES, item=st.sampled_from(ITEMS))
    def dispense(self, fate: str, item: str) -> None:
        """Dispense a prescription."""
        try:
            rules.may_dispense(self.encounter, item, item, VALID, self.now)
        except NotNow:
            return
        self.serial += 1
        name = f"d{self.serial}"
        self.take(Prepared(document_id=name, prescription_id=item, unique_id=item))
        self.submit(name, fate)

    @precondition(lambda self: self.encounter.submissions)
    @rule(fate=FATES, place=st.integers(0, 20))
    def ask_again(self, fate: str, place: int) -> None:
        """Send a submission once more, the very same."""
        names = list(self.encounter.submissions)
        name = names[place % len(names)]
        try:
            rules.may_ask_again(self.encounter, name, VALID, self.now)
        except NotNow:
            return
        self.submit(name, fate)

    @precondition(lambda self: self.encounter.submissions)
    @rule(fate=FATES, place=st.integers(0, 20))
    def discard(self, fate: str, place: int) -> None:
        """Discard a dispensation."""
        names = list(self.encounter.submissions)
        try:
            found = rules.may_discard(self.encounter, names[place % len(names)], VALID, self.now).prepared
        except NotNow:
            return
        self.serial += 1
        name = f"x{self.serial}"
        item = found.prescription_id
        self.take(Prepared(document_id=name, prescription_id=item, unique_id=item, discards=found.document_id))
        self.submit(name, fate)

    @precondition(lambda self: self.late and self.encounter.ended_at is None)
    @rule()
    def give_up(self) -> None:
        """A process that was slow keeps at last that it got no answer."""
        self.take(self.late.pop())

    @rule()
    def end(self) -> None:
        """End the encounter, where that may be."""
        try:
            rules.may_end(self.encounter, self.now)
        except NotNow:
            return
        assert not self.unsettled(), "an end while it is unknown whether a dispensation arrived"
        if self.serial % 3 == 2:
            self.take(Ended())

    def submit(self, name: str, fate: str) -> None:
        prepared = self.encounter.submissions[name].prepared
        arrives = fate in ("answered", "answer lost", "crash after", "late")
        if arrives and name not in self.answered:
            item = prepared.prescription_id
            if prepared.discards:
                self.answered[name] = self.counted.get(item) == prepared.discards
                if self.answered[name]:
                    del self.counted[item]
            else:
                assert item not in self.counted, "a second dispensation of a prescription was sent"
                self.counted[item] = name
                self.answered[name] = True
        outcome = Outcome.ACKNOWLEDGED if self.answered.get(name) else Outcome.REFUSED
        lost = Settled(document_id=name, outcome=Outcome.UNKNOWN)
        self.ask(Act.SUBMIT, name, fate, Settled(document_id=name, outcome=outcome), lost)

    def unsettled(self) -> list[str]:
        """The submissions of whose answer nobody here knows."""
        return [name for name, one in self.encounter.submissions.items() if one.outcome is Outcome.UNKNOWN]

    @invariant()
    def known_answer_is_never_lost(self) -> None:
        """What was acknowledged or refused once stays so, whatever comes late."""
        for name, one in self.encounter.submissions.items():
            if one.outcome is not Outcome.UNKNOWN:
                assert self.known.setdefault(name, one.outcome) is one.outcome
        now = self.encounter.submissions
        assert all(now[name].outcome is outcome for name, outcome in self.known.items())

    @invariant()
    def what_is_acknowledged_is_what_the_country_counts(self) -> None:
        """Once everything is settled, both sides agree."""
        assert len(self.unsettled()) <= 1
        if self.unsettled():
            return
        done = [one.prepared for one in self.encounter.submissions.values() if one.outcome is Outcome.ACKNOWLEDGED]
        taken_back = {one.discards for one in done if one.discards}
        ours = {one.prescription_id: one.document_id for one in done if not one.discards}
        assert {item: name for item, name in ours.items() if name not in taken_back} == self.counted

    @invariant()
    def steps_alone_make_the_encounter(self) -> None:
        """What was kept gives the same encounter again: nothing is held in memory only."""
        start = Encounter(
            id=UUID(int=1),
            country="PT",
            practitioner_id=UUID(int=2),
            practitioner="",
            organization_id=None,
            organization="",
            began_at=self.encounter.began_at,
        )
        assert advance(start, self.steps) == self.encounter


TestEncounterMachine = EncounterMachine.TestCase
TestEncounterMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_lost_answer_that_comes_late_does_not_replace_the_acknowledgement() -> None:
    machine = EncounterMachine()
    machine.begin(is_treated=True)
    machine.dispense(fate="late", item="a")
    machine.ask_again(fate="answered", place=0)
    machine.give_up()
    (submission,) = machine.encounter.submissions.values()
    assert submission.outcome is Outcome.ACKNOWLEDGED
