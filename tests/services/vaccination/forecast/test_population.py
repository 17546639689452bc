"""Advice for many persons on several processes."""

from datetime import date, timedelta

from esante.services.vaccination.forecast import Dose, Patient, advise, load_rules
from esante.services.vaccination.forecast.population import advise_all

ON = date(2026, 11, 29)


def load():
    return load_rules("lu", on=ON)


def statuses(advice):
    return tuple(str(one.status) for one in advice.groups)


def test_every_person_gets_the_advice_in_their_order(lu):
    records = [
        (Patient(ON - timedelta(days=97 * number)), [Dose("1", ON - timedelta(days=40 * number), "146")])
        for number in range(300)
    ]
    seen = []
    found = advise_all(iter(records), 300, ON, load, statuses, lambda done, total, step: seen.append((done, total)), 2)
    assert list(found) == [statuses(advise(patient, doses, ON, lu)) for patient, doses in records]
    assert seen == [(250, 300), (300, 300)]
