"""The calendar of Luxembourg: its golden cases as they were read, and cases written by hand from its sources."""

from datetime import date, timedelta

import pytest

from esante.services.vaccination.forecast import Dose, Observation, Patient, SeriesStatus, advise
from tests.services.vaccination.forecast.golden_cases import FILE, page

DUE = SeriesStatus.NOT_COMPLETE


def test_golden_cases_are_those_that_were_read(lu):
    assert FILE.read_text("utf-8") == page(lu), "the advice changed: read the difference, then write the file again"


def test_every_maximum_age_of_the_golden_cases_ends_what_counts():
    rows = [line.split(" | ") for line in FILE.read_text("utf-8").splitlines() if " | maximum age" in line]
    assert len(rows) > 15
    assert {(before, on) for *_, before, on in rows if "Complete" not in before} == {
        ("Valid", "Extraneous: Age: Too Old |")
    }


def day(text):
    return date.fromisoformat(text)


def ask(lu, born, on, *doses, observations=(), gender="female"):
    given = [Dose(str(number), day(when), str(cvx)) for number, (when, cvx) in enumerate(doses)]
    return advise(Patient(day(born), gender, tuple(observations)), given, day(on), lu)


def dates(found):
    return tuple(None if one is None else str(one) for one in (found.earliest, found.recommended, found.past_due))


@pytest.mark.parametrize(
    ("group", "recommended", "number"),
    [
        ("DTaP/Tdap/Td", "2026-03-10", 1),
        ("Polio", "2026-03-10", 1),
        ("Hib", "2026-03-10", 1),
        ("HepB", "2026-03-10", 1),
        ("Rotavirus", "2026-03-10", 1),
        ("Pneumococcal", "2026-03-10", 1),
        ("Meningococcal B", "2026-04-10", 1),
        ("MMR", "2027-01-10", 1),
        ("Varicella", "2027-01-10", 1),
        ("Meningococcal", "2027-02-10", 1),
        ("HPV", "2035-01-10", 1),
        ("Zoster", "2091-01-10", 1),
    ],
)
def test_newborn_is_advised_the_calendar(lu, group, recommended, number):
    found = ask(lu, "2026-01-10", "2026-01-20").group(group)
    assert (found.status, str(found.recommended), found.dose_number) == (DUE, recommended, number)


def test_mmrv_counts_from_12_months_and_the_second_is_due_at_15_to_23_months(lu):
    born = "2025-01-10"
    early, on_time = ("2026-01-05", 94), ("2026-01-10", 94)
    assert ask(lu, born, "2026-01-11", early).group("MMR").dose_number == 1
    for group in ("MMR", "Varicella"):
        found = ask(lu, born, "2026-01-11", on_time).group(group)
        assert (found.dose_number, dates(found)) == (2, ("2026-02-10", "2026-04-10", "2027-01-09"))
    assert ask(lu, born, "2027-01-11", on_time, ("2026-04-10", 94)).group("MMR").status is SeriesStatus.COMPLETE


@pytest.mark.parametrize(("born", "status"), [("1980-12-31", SeriesStatus.IMMUNE), ("1981-01-01", DUE)])
def test_adults_born_after_1980_need_two_doses_of_mmr(lu, born, status):
    found = ask(lu, born, "2026-11-29").group("MMR")
    assert found.status is status
    assert lu.rule(found.reasons[0]).source.startswith("ECDC") or status is DUE


def test_zoster_is_two_doses_from_65_years_two_to_six_months_apart(lu):
    born = "1961-11-29"
    assert ask(lu, born, "2026-11-28").group("Zoster").recommended == day("2026-11-29")
    found = ask(lu, born, "2026-12-01", ("2026-11-29", 187)).group("Zoster")
    assert (found.vaccines, dates(found)) == (("187",), ("2027-01-29", "2027-01-29", "2027-05-28"))


@pytest.mark.parametrize(
    ("on", "status"), [("2026-09-01", DUE), ("2027-02-28", DUE), ("2026-08-31", DUE), ("2027-03-01", DUE)]
)
def test_newborn_of_the_season_gets_the_rsv_antibody(lu, on, status):
    found = ask(lu, on, on).group("RSV")
    assert found.status is status
    in_season = on in ("2026-09-01", "2027-02-28")
    assert ("306" in found.suitable) is (in_season or on == "2026-08-31")


def test_newborn_of_a_vaccinated_mother_gets_no_rsv_antibody(lu):
    advice = ask(lu, "2026-11-01", "2026-11-02", observations=[Observation("278")])
    assert {one.status for one in advice.by_antigen if one.antigen == "RSV"} == {SeriesStatus.CONTRAINDICATED}


def pregnancy(onset, end=None):
    return Observation("170", day(onset), None if end is None else day(end))


def test_pregnancy_asks_for_pertussis_in_weeks_13_to_26(lu):
    advice = ask(lu, "1995-05-01", "2026-05-01", observations=[pregnancy("2026-04-15")])
    found = next(one for one in (*advice.groups, *advice.further) if one.series == ("Pertussis in pregnancy",))
    assert dates(found) == ("2026-07-15", "2026-07-15", "2026-10-13")
    assert lu.rule(found.rule_of["earliest"]).verified


def test_dose_of_an_earlier_pregnancy_does_not_count_for_this_one(lu):
    dose, onset = ("2024-06-01", 115), pregnancy("2026-04-15")
    one = ask(lu, "1995-05-01", "2026-08-01", dose, observations=[pregnancy("2024-01-01", "2024-10-01"), onset])
    found = next(each for each in (*one.groups, *one.further) if each.series == ("Pertussis in pregnancy",))
    assert (found.status, found.recommended) == (DUE, day("2026-07-15"))
    again = ask(lu, "1995-05-01", "2026-08-01", dose, ("2026-07-20", 115), observations=[onset])
    done = next(each for each in (*again.groups, *again.further) if each.series == ("Pertussis in pregnancy",))
    assert done.status is SeriesStatus.COMPLETE


def test_rsv_in_pregnancy_is_due_in_week_32_of_a_pregnancy_in_the_season(lu):
    found = ask(lu, "1995-05-01", "2026-11-01", observations=[pregnancy("2026-04-15")]).group("RSV")
    assert (found.series, dates(found)) == (("RSV in pregnancy",), ("2026-11-25", "2026-11-25", "2026-12-29"))
    summer = ask(lu, "1995-05-01", "2026-07-01", observations=[pregnancy("2025-12-01")]).group("RSV")
    assert summer.earliest == day("2026-09-01")


def test_live_vaccines_are_not_given_in_pregnancy(lu):
    advice = ask(lu, "1995-05-01", "2026-11-29", observations=[pregnancy("2026-04-15")])
    assert advice.group("MMR").status is SeriesStatus.CONTRAINDICATED
    assert advice.group("MMR").texts == ("No live vaccines in pregnancy",)
    after = ask(lu, "1995-05-01", "2027-03-01", observations=[pregnancy("2026-04-15", "2027-01-20")])
    assert after.group("MMR").status is DUE


TRAVEL = Observation("162")
WEAKENED = ("003", "004", "013", "147", "154", "157", "158", "168", "246")


@pytest.mark.parametrize("code", WEAKENED)
@pytest.mark.parametrize(
    ("group", "born"),
    [
        ("MMR", "2024-01-10"),
        ("Varicella", "2024-01-10"),
        ("Yellow Fever", "2024-01-10"),
        ("Rotavirus", "2026-02-10"),
    ],
)
def test_no_live_vaccine_is_due_with_a_weakened_immune_system(lu, code, group, born):
    assert ask(lu, born, "2026-05-01", observations=[TRAVEL]).group(group).status is DUE
    weak = ask(lu, born, "2026-05-01", observations=[TRAVEL, Observation(code, day("2026-03-01"))])
    assert (weak.group(group).status, weak.group(group).recommended) == (SeriesStatus.CONTRAINDICATED, None)
    assert weak.group("DTaP/Tdap/Td").status is DUE and weak.group("Pneumococcal").status is DUE


def test_live_vaccines_are_due_again_when_the_treatment_is_over(lu):
    ended = Observation("158", day("2024-06-01"), day("2026-04-30"))
    assert (
        ask(lu, "2024-01-10", "2026-04-29", observations=[ended]).group("MMR").status is SeriesStatus.CONTRAINDICATED
    )
    assert ask(lu, "2024-01-10", "2026-05-01", observations=[ended]).group("MMR").status is DUE


def test_yellow_fever_is_not_due_to_a_pregnant_traveller_and_influenza_is(lu):
    travels = [TRAVEL, pregnancy("2026-04-15")]
    assert ask(lu, "1995-05-01", "2026-06-01", observations=[TRAVEL]).group("Yellow Fever").status is DUE
    advice = ask(lu, "1995-05-01", "2026-10-01", observations=[*travels, Observation("007", day("2026-05-10"))])
    assert advice.group("Yellow Fever").status is SeriesStatus.CONTRAINDICATED
    assert advice.group("Influenza").status is DUE


@pytest.mark.parametrize(
    ("first", "doses", "number", "due"),
    [
        ("2026-01-09", 1, 2, "2026-07-09"),
        ("2026-01-10", 1, 2, "2026-03-10"),
        ("2026-01-10", 2, 3, "2026-07-10"),
    ],
)
def test_hpv_begun_before_15_years_is_two_doses_and_later_three(lu, first, doses, number, due):
    given = [(first, 165), ("2026-03-10", 165)][:doses]
    found = ask(lu, "2011-01-10", "2026-04-01", *given).group("HPV")
    assert (found.dose_number, str(found.recommended)) == (number, due)


def test_hpv_ends_with_18_years(lu):
    assert ask(lu, "2007-11-30", "2026-11-29").group("HPV").status is DUE
    assert ask(lu, "2007-11-29", "2026-11-29").group("HPV").status is SeriesStatus.AGED_OUT


def test_influenza_is_due_every_season_from_65_years_high_dose_by_name(lu):
    born, last = "1950-01-01", ("2025-11-03", 135)
    found = ask(lu, born, "2026-10-05", last).group("Influenza")
    assert (found.status, found.vaccines, found.recommended) == (DUE, ("135",), day("2026-10-01"))
    assert ask(lu, born, "2026-12-01", ("2026-10-05", 135)).group("Influenza").status is SeriesStatus.COMPLETE
    assert ask(lu, born, "2027-06-01", ("2026-10-05", 135)).group("Influenza").recommended == day("2027-10-01")


def test_preterm_child_gets_one_hexavalent_dose_more(lu):
    doses = [("2026-03-10", 146), ("2026-04-10", 146)]
    found = ask(lu, "2026-01-10", "2026-04-12", *doses, observations=[Observation("preterm")]).group("DTaP/Tdap/Td")
    assert (found.dose_number, str(found.recommended), found.risk) == (3, "2026-05-10", True)
    term = ask(lu, "2026-01-10", "2026-04-12", *doses).group("DTaP/Tdap/Td")
    assert (term.dose_number, term.risk) == (2, False)


def test_varicella_after_mmr_waits_28_days_or_is_given_with_it(lu):
    born, mmr = "2025-01-10", ("2026-01-12", 3)
    apart = ask(lu, born, "2026-03-01", mmr, ("2026-02-08", 21)).group("Varicella")
    assert str(apart.evaluations[0].reason) == "Live Virus Conflict"
    together = ask(lu, born, "2026-03-01", mmr, ("2026-01-12", 21)).group("Varicella")
    assert str(together.evaluations[0].status) == "Valid"
    assert ask(lu, born, "2026-01-13", mmr).group("Varicella").earliest == day("2026-02-09")


def test_tetanus_booster_is_due_every_ten_years(lu):
    primary = [("1990-01-01", 195), ("1990-03-01", 195), ("1991-01-01", 195)]
    found = ask(lu, "1960-01-01", "2026-11-29", *primary, ("2019-06-01", 115)).group("DTaP/Tdap/Td")
    assert found.status is DUE
    tetanus = next(
        one
        for one in ask(lu, "1960-01-01", "2026-11-29", *primary, ("2019-06-01", 115)).by_antigen
        if one.antigen == "Tetanus"
    )
    assert (tetanus.recommended, tetanus.past_due) == (day("2029-06-01"), day("2030-05-31"))


def test_pneumococcal_dose_is_due_from_65_and_for_risk_at_any_age(lu):
    assert ask(lu, "1961-11-29", "2026-11-29").group("Pneumococcal").recommended == day("2026-11-29")
    at_risk = ask(lu, "1990-01-01", "2026-11-29", observations=[Observation("160")]).group("Pneumococcal")
    assert (at_risk.status, at_risk.risk, at_risk.texts[0]) == (
        DUE,
        True,
        "Increased risk of pneumococcal disease, at any age",
    )
    assert ask(lu, "1990-01-01", "2026-11-29", ("2020-01-01", 216)).group("Pneumococcal").status is not DUE


def test_rotavirus_follows_the_product_that_was_begun(lu):
    born = "2026-01-10"
    assert ask(lu, born, "2026-03-11", ("2026-03-10", 119)).group("Rotavirus").series == ("Rotavirus, two doses",)
    begun = ask(lu, born, "2026-03-11", ("2026-03-10", 116)).group("Rotavirus")
    assert (begun.series, begun.dose_number) == (("Rotavirus, three doses",), 2)
    assert (
        ask(lu, born, "2026-05-11", ("2026-03-10", 119), ("2026-04-10", 119)).group("Rotavirus").status
        is SeriesStatus.COMPLETE
    )


def test_overdue_child_is_advised_vaccines_of_its_age_today(lu):
    found = ask(lu, "2019-01-10", "2026-11-29").group("DTaP/Tdap/Td")
    assert (found.vaccines, found.recommended + timedelta(days=1) < day("2026-11-29")) == (("115",), True)
