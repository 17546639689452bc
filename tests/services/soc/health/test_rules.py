"""The rules of the detections: each finds its misuse, and leaves the twin that only looks like it alone."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from esante.services.soc.health.context.explanation import CareContext, explain_visit
from esante.services.soc.health.context.people import Mark, PersonTraits, Place, UserTraits
from esante.services.soc.health.context.relations import Relation, relations_of
from esante.services.soc.health.detections.admissions import judge_stay
from esante.services.soc.health.detections.curious_access import Habit, judge_visit
from esante.services.soc.health.detections.emergencies import has_follow_up, judge_emergency
from esante.services.soc.health.detections.fee_notes import PersonBilled, judge_acts, judge_volume
from esante.services.soc.health.detections.model import Detection
from esante.services.soc.health.detections.parameters import terms_on
from esante.services.soc.health.detections.sessions import judge_presences
from esante.services.soc.health.detections.special_records import judge_after_death
from esante.services.soc.health.detections.volume import Baseline, judge_probing, judge_reading
from esante.services.soc.health.facts.model import (
    BilledAct,
    CareContact,
    CareKind,
    Emergency,
    Hour,
    Presence,
    StayFact,
    User,
    Visit,
)

TERMS = terms_on(date(2026, 11, 1))
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUSE, ELSEWHERE, PERSON = uuid4(), uuid4(), uuid4()
USER = User(id=uuid4(), principal_id=UUID(int=1), kind="practitioner", profession="doctor", organization_id=HOUSE)
USER = replace(USER, principal_id=USER.id)
NOTHING = CareContext()


def a_visit(at=NOON, **changes):
    given = {
        "person_id": PERSON,
        "user": USER,
        "day": at.date(),
        "first_at": at,
        "last_at": at,
        "opened": 1,
        "listed": 1,
    }
    return Visit(**given | {"evidence": (uuid4(),)} | changes)


def a_contact(at=NOON, holder=None, kind=CareKind.DEPOSIT, **changes):
    given = {"person_id": PERSON, "holder_id": holder or USER.id, "kind": kind, "first_at": at, "last_at": at}
    return CareContact(**given | changes)


def a_stay(began=NOON, days=3, place=HOUSE, **changes):
    given = {"person_id": PERSON, "stay_id": uuid4(), "organization_id": place, "began_at": began}
    return StayFact(**given | {"ended_at": began + timedelta(days=days)} | changes)


@pytest.mark.parametrize(
    ("days", "scope", "explained"),
    [
        (-399, "user", True),
        (-401, "user", False),
        (2, "user", True),
        (4, "user", False),
        (-179, "house", True),
        (-181, "house", False),
    ],
)
def test_document_explains_an_access_within_its_days(days, scope, explained):
    contact = a_contact(NOON + timedelta(days=days), USER.id if scope == "user" else HOUSE)
    assert (explain_visit(a_visit(), CareContext([contact]), TERMS) is not None) is explained


@pytest.mark.parametrize(("days", "explained"), [(-1, True), (0, True), (3, True), (24, True), (26, False)])
def test_stay_explains_what_its_house_opens_around_it(days, explained):
    care = CareContext([], [a_stay()])
    assert (explain_visit(a_visit(NOON + timedelta(days=days)), care, TERMS) is not None) is explained
    assert explain_visit(a_visit(NOON), CareContext([], [a_stay(place=ELSEWHERE)]), TERMS) is None


def test_ended_circle_explains_nothing_later():
    circle = a_contact(NOON - timedelta(days=900), HOUSE, CareKind.CIRCLE)
    assert explain_visit(a_visit(), CareContext([circle]), TERMS) is not None
    ended = replace(circle, ended_at=NOON - timedelta(days=1))
    assert explain_visit(a_visit(), CareContext([ended]), TERMS) is None


def test_delegate_is_explained_by_the_care_of_the_professional():
    secretary = replace(USER, id=uuid4())
    assert explain_visit(a_visit(user=secretary), CareContext([a_contact()]), TERMS) is not None


def traits(family="weber", home="1 road", **changes):
    return PersonTraits(person_id=uuid4(), family_key=family, given_key="an", home=home, area="l-1", **changes)


def test_relations_follow_from_names_and_addresses():
    own = traits()
    user = UserTraits(user_id=USER.id, name="An Weber", own=own)

    def related(person, employers=(), mark=None):
        return relations_of(user, person, employers, HOUSE, mark)

    assert related(own) == (Relation.OWN,)
    assert related(traits("other")) == (Relation.HOUSEHOLD,)
    assert related(traits(home="2 road")) == (Relation.FAMILY,)
    assert related(traits("other", home="2 road")) == ()
    assert related(traits("other", home=""), [HOUSE]) == (Relation.COLLEAGUE,)
    assert related(traits("other", home=""), [ELSEWHERE], Mark.WATCHED) == (Relation.WATCHED,)
    assert relations_of(replace(user, own=None), traits(), (), HOUSE, None) == ()


def test_access_without_care_is_found_and_the_explained_one_is_not():
    found = judge_visit(a_visit(), NOTHING, (), Habit(), TERMS).finding
    assert found is not None and found.detection is Detection.NO_CONTEXT
    assert judge_visit(a_visit(), CareContext([a_contact()]), (), Habit(), TERMS).finding is None


def test_list_that_was_closed_at_once_is_no_finding():
    assert judge_visit(a_visit(opened=0), NOTHING, (), Habit(), TERMS).finding is None


def test_repeated_accesses_weigh_more_and_those_of_a_user_without_data_less():
    earlier = [a_visit(NOON - timedelta(days=number)) for number in (3, 6)]
    scores = [
        judge_visit(a_visit(opened=3), NOTHING, (), habit, TERMS, before).finding
        for habit, before in ((Habit(), earlier), (Habit(), ()), (Habit(100, 80), earlier))
    ]
    assert scores[0].score > scores[1].score and scores[0].score > scores[2].score


def an_emergency(at=NOON):
    return Emergency(person_id=PERSON, entry_id=uuid4(), user=USER, at=at)


@pytest.mark.parametrize(
    ("care", "followed"),
    [
        (NOTHING, False),
        (CareContext([a_contact(NOON + timedelta(hours=20))]), True),
        (CareContext([a_contact(NOON + timedelta(hours=100))]), False),
        (CareContext([a_contact(NOON - timedelta(days=9))]), False),
        (CareContext([], [a_stay(NOON + timedelta(hours=2))]), True),
    ],
)
def test_care_after_an_emergency_is_follow_up(care, followed):
    assert has_follow_up(an_emergency(), care, TERMS) is followed


@pytest.mark.parametrize(
    ("own", "peers", "relations", "found"),
    [
        ((6, 6), [0, 1, 1], (), True),
        ((6, 1), [0, 1, 1], (), False),  # many, and care followed nearly all
        ((4, 4), [4, 5, 3], (), False),  # as the others
        ((1, 1), [], (Relation.HOUSEHOLD,), True),
        ((1, 1), [], (), False),
    ],
)
def test_emergencies_without_care_are_found_by_number_or_relation(own, peers, relations, found):
    judged = judge_emergency(an_emergency(), followed=False, relations=relations, own=own, peers=peers, terms=TERMS)
    assert (judged is not None) is found


def test_stay_without_care_is_found_and_one_with_a_letter_or_without_reading_is_not():
    stay, visits = a_stay(days=0.1), [a_visit(NOON + timedelta(minutes=9))]
    assert judge_stay(stay, visits, NOTHING, TERMS) is not None
    assert judge_stay(stay, visits, CareContext([a_contact(NOON + timedelta(days=2), HOUSE)]), TERMS) is None
    assert judge_stay(stay, [], NOTHING, TERMS) is None
    assert judge_stay(replace(stay, proved=True), visits, NOTHING, TERMS) is None


def an_hour(**counts):
    return Hour(user=USER, hour=NOON, **counts)


@pytest.mark.parametrize(
    ("persons", "unexplained", "own", "peers", "found"),
    [
        (40, 40, [4] * 30, [6] * 30, True),
        (40, 3, [4] * 30, [6] * 30, False),  # explained
        (40, 40, [35] * 30, [6] * 30, False),  # usual for them
        (40, 40, [4] * 30, [30] * 30, False),  # usual for the profession
    ],
)
def test_many_records_in_an_hour_are_found_against_both_baselines(persons, unexplained, own, peers, found):
    visited = [traits(f"{number * 7 % 41:02}") for number in range(unexplained)]
    judged = judge_reading(an_hour(persons=persons), visited, unexplained, Baseline(own, peers), TERMS)
    assert (judged is not None) is found


@pytest.mark.parametrize(("count", "found"), [(14, True), (8, False)])
def test_walk_in_the_order_of_names_is_found_without_being_many(count, found):
    visited = [traits(f"{number:02}") for number in range(count)]
    judged = judge_reading(an_hour(persons=count), visited, count, Baseline([20] * 30, [20] * 30), TERMS)
    assert (judged is not None) is found


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({"refusals": 40}, True),
        ({"refusals": 40, "shown": 200}, False),
        ({"refusals": 6}, False),
        ({"lookups": 30, "unknown": 28}, True),
        ({"lookups": 200, "unknown": 28}, False),
        ({"shown": 30, "sweeps": 30}, True),
    ],
)
def test_probing_is_many_failures_and_most_of_what_was_done(counts, found):
    assert (judge_probing(an_hour(**counts), TERMS) is not None) is found


def a_presence(minute, network="10.0.1.0/24", software="Praxis", site=""):
    at = NOON + timedelta(minutes=minute)
    return Presence(user=USER, network=network, software=software, site=site, first_at=at, last_at=at)


@pytest.mark.parametrize(
    ("networks", "software", "found"),
    [
        ("ABABABAB", "other", True),
        ("AAABBB", "other", False),  # somebody went home
        ("ABABABAB", "same", False),  # a telephone and a computer
        ("ABCDEFGH", "other", False),  # on the way
    ],
)
def test_two_networks_in_turns_are_shared_credentials(networks, software, found):
    presences = [
        a_presence(5 * number, f"10.0.{ord(name)}.0/24", name if software == "other" else "Praxis")
        for number, name in enumerate(networks)
    ]
    judged = [one.detection for one in judge_presences(presences, {}, TERMS)]
    assert (Detection.SHARED_CREDENTIALS in judged) is found


@pytest.mark.parametrize(
    ("minutes", "town", "found"), [(4, "Diekirch", True), (45, "Diekirch", False), (4, "Luxembourg", False)]
)
def test_two_sites_too_fast_are_an_impossible_place(minutes, town, found):
    places = {"a": Place(name="A", town="Luxembourg", district="1"), "b": Place(name="B", town=town, district="9")}
    presences = [a_presence(minutes * number, f"10.0.{number % 2}.0/24", site="ab"[number % 2]) for number in range(3)]
    judged = [one.detection for one in judge_presences(presences, places, TERMS)]
    assert (Detection.IMPOSSIBLE_PLACE in judged) is found


def an_act(day=date(2026, 5, 4), house=HOUSE, **changes):
    given = {
        "person_id": PERSON,
        "note_id": uuid4(),
        "number": 0,
        "biller_id": uuid4(),
        "provider_code": uuid4().hex[:8],
    }
    given |= {"organization_id": house, "profession": "doctor", "code": "C1", "day": day, "quantity": 1}
    return BilledAct(**given | {"inpatient": False, "entry_id": uuid4(), "at": NOON} | changes)


def billed(act, **known):
    given = {"deceased_at": None, "stays": (), "acts": (act,)} | known
    return [one.detection for one in judge_acts([act], {PERSON: PersonBilled(**given)}, TERMS)]


def test_act_after_the_death_is_found_and_that_of_the_day_is_not():
    act = an_act()
    assert billed(act, deceased_at=NOON - timedelta(days=2)) == [Detection.NOTE_DECEASED]
    assert billed(act, deceased_at=NOON) == []


@pytest.mark.parametrize(
    ("began", "place", "changes", "found"),
    [
        (-2, ELSEWHERE, {}, True),
        (-2, HOUSE, {}, False),
        (0, ELSEWHERE, {}, False),  # the day of admission
        (-2, ELSEWHERE, {"profession": "laboratory"}, False),
        (-2, ELSEWHERE, {"inpatient": True}, False),
    ],
)
def test_act_within_a_stay_elsewhere_is_found(began, place, changes, found):
    stay = a_stay(NOON + timedelta(days=began), days=5, place=place)
    assert (billed(an_act(**changes), stays=[stay]) == [Detection.NOTE_ABSENT]) is found


def test_same_act_by_two_providers_is_found_and_by_one_house_it_is_not():
    act = an_act()
    assert billed(act, acts=[act, an_act(house=ELSEWHERE)]) == [Detection.NOTE_DUPLICATE]
    assert billed(act, acts=[act, an_act()]) == []
    assert billed(act, acts=[act, an_act(house=ELSEWHERE, code="C2")]) == []


@pytest.mark.parametrize(
    ("acts", "peers", "found"), [(90, [20, 25, 30], True), (90, [60, 70, 80], False), (40, [], False)]
)
def test_too_many_acts_in_a_day_are_found_against_peers(acts, peers, found):
    judged = judge_volume(USER.id, NOON.date(), [an_act(quantity=acts)], peers, TERMS)
    assert (judged is not None) is found


@pytest.mark.parametrize(("days", "care", "found"), [(30, NOTHING, True), (9, NOTHING, False)])
def test_access_after_death_is_found_after_some_days(days, care, found):
    died = NOON - timedelta(days=days)
    assert (judge_after_death(a_visit(), died, care, TERMS) is not None) is found


def test_autopsy_report_explains_an_access_after_death():
    died = NOON - timedelta(days=30)
    assert judge_after_death(a_visit(), died, CareContext([a_contact(NOON + timedelta(days=1))]), TERMS) is None
    assert judge_after_death(a_visit(), died, CareContext([a_contact(died - timedelta(days=9))]), TERMS) is not None


def test_terms_name_their_source_and_are_marked_as_unverified():
    assert TERMS.legal_source and TERMS.verified is False
