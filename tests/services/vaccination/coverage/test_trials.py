"""What a new calendar would change: counted in the background, protected, and nothing put into force."""

from datetime import timedelta
from importlib.resources import files

import pytest

from esante.core.time_zone import today
from esante.services.vaccination.coverage.trials import CalendarTrials
from esante.services.vaccination.reminders.forecasts import rules_in_force
from tests.support.record import refusal_of
from tests.support.vaccination import catch_up

FOLDER = files("esante.services.vaccination") / "data" / "lu-2026"
TEXTS = {file.name: file.read_text("utf-8") for file in FOLDER.iterdir()}
DOSE = 'recommended = "2 months"\nlate = "3 months"'


@pytest.fixture(scope="module")
def trials(world, forecasts, statistics_key):
    """Trials of calendars."""
    return CalendarTrials(world.db, world.journal, forecasts, statistics_key)


def later_first_dose() -> dict[str, str]:
    """The calendar with the first dose against diphtheria at three months in place of two."""
    (name,) = [name for name, text in TEXTS.items() if 'id = "dtp-polio"' in text]
    place = TEXTS[name].index('id = "dtp-polio"')
    assert DOSE in TEXTS[name][place:]
    later = TEXTS[name][place:].replace(DOSE, 'recommended = "3 months"\nlate = "4 months"', 1)
    return TEXTS | {name: TEXTS[name][:place] + later}


async def run(world, trials, calendar):
    trial_id = await trials.ask(world.people["operator"], calendar)
    await trials.run()
    page = await trials.page(world.people["operator"])
    (trial,) = [one for one in page.items if one.id == trial_id]
    assert trial.ended_at is not None and trial.error == "" and trial.done == trial.total
    return trial


async def test_same_calendar_changes_nothing(world, histories, forecasts, trials):
    await world.person(birth_date=today() - timedelta(days=75))
    await catch_up(world, histories, forecasts)
    assert trials.changes(await run(world, trials, TEXTS)) == []


async def test_later_dose_is_no_longer_due_to_those_of_that_age(world, histories, forecasts, trials):
    for _ in range(12):
        await world.person(birth_date=today() - timedelta(days=75))
    await catch_up(world, histories, forecasts)
    name = rules_in_force().name
    changes = trials.changes(await run(world, trials, later_first_dose()))
    (diphtheria,) = [one for one in changes if one.antigen == "diphtheria"]
    assert diphtheria.becomes_due == 0 and abs(diphtheria.no_longer_due - 13) <= 3
    assert diphtheria.first_year <= (today() - timedelta(days=75)).year < diphtheria.first_year + 10
    assert rules_in_force().name == name and (await forecasts.count())[1] == 0


async def test_small_change_is_not_shown(world, trials):
    trial = (await trials.page(world.people["operator"])).items[0]
    small = type(trial)(
        **{name: getattr(trial, name) for name in trial.__slots__} | {"result": '{"polio 2020": [4, "7", 0, "0"]}'}
    )
    (change,) = trials.changes(small)
    assert change.becomes_due is None and change.no_longer_due == 0


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"calendar.toml": TEXTS["calendar.toml"]},
        TEXTS | {"calendar.toml": "not toml ["},
        TEXTS | {"calendar.toml": "valid_from = 2026-01-01"},
        TEXTS | {"vaccines.toml": "x = 1"},
        TEXTS | {"more.toml": "x" * 900_001},
        TEXTS | {f"{number}.toml": "" for number in range(31)},
    ],
)
async def test_what_is_no_calendar_is_refused(world, trials, texts):
    assert (await refusal_of(trials.ask(world.people["operator"], texts)))[0] == 400


async def test_only_operators_try_calendars_and_one_at_a_time(world, trials):
    for who in ("doctor", "hospital"):
        assert (await refusal_of(trials.ask(world.people[who], TEXTS)))[0] == 403
        assert (await refusal_of(trials.page(world.people[who])))[0] == 403
    await trials.ask(world.people["operator"], TEXTS)
    assert (await refusal_of(trials.ask(world.people["operator"], TEXTS)))[0] == 409
    await trials.run()
