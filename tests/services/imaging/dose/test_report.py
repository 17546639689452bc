"""Reading of dose reports: units, sums, and what is no report."""

from datetime import date

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.data import get_testdata_file

from esante.services.imaging.demo.dose_reports import ct_dose_report, xray_dose_report
from esante.services.imaging.dose.factors import dose_factors
from esante.services.imaging.dose.report import Irradiation, Quantity, read_dose_report

CHEST, HEAD = ("51185008", "SCT", "Chest"), ("69536005", "SCT", "Head")
_amounts = st.floats(0.001, 5_000, allow_nan=False)


def json_of(report) -> dict:
    return orjson.loads(orjson.dumps(report.to_json_dict()))


@given(
    st.lists(
        st.tuples(st.uuids().map(lambda one: f"2.25.{one.int}"), st.sampled_from([CHEST, HEAD]), _amounts), min_size=1
    )
)
def test_ct_report_gives_each_acquisition_with_region_and_amount(irradiations):
    found = read_dose_report(json_of(ct_dose_report(irradiations)))
    assert [(one.event_uid, one.region) for one in found] == [(uid, code[0]) for uid, code, _ in irradiations]
    assert [one.amount for one in found] == pytest.approx([amount for _, _, amount in irradiations], rel=1e-6)
    assert {one.quantity for one in found} == {Quantity.DLP}


def test_dose_area_product_is_read_in_gy_cm2():
    [found] = read_dose_report(json_of(xray_dose_report([("1.2.3", CHEST, 0.00002)])))
    assert found == Irradiation("1.2.3", CHEST[0], Quantity.DAP, pytest.approx(0.2))


def test_report_without_events_gives_its_sum():
    report = ct_dose_report([("1.2.3", CHEST, 100.0), ("1.2.4", CHEST, 50.0)])
    report.ContentSequence = report.ContentSequence[:1]
    assert read_dose_report(json_of(report)) == [Irradiation("", "", Quantity.DLP, 150.0)]


@pytest.mark.parametrize("value", ["-1", "1e12"])
def test_amount_that_cannot_be_is_left_out(value):
    report = ct_dose_report([("1.2.3", CHEST, 100.0)])
    for item in (
        report.ContentSequence[0].ContentSequence[1],
        report.ContentSequence[1].ContentSequence[2].ContentSequence[0],
    ):
        item.MeasuredValueSequence[0].NumericValue = value
    assert read_dose_report(json_of(report)) == []


def test_other_structured_report_has_no_dose():
    other = dcmread(get_testdata_file("reportsi.dcm", download=False), force=True)
    assert read_dose_report(json_of(other)) == []


def test_child_of_two_gets_the_factor_of_their_age_and_unknown_region_none():
    factors = dose_factors(date(2026, 1, 1))
    ct = Irradiation("1.2.3", HEAD[0], Quantity.DLP, 100.0)
    assert factors.estimate(ct, 40) == pytest.approx(0.21)
    assert factors.estimate(ct, 2) == pytest.approx(0.67)
    assert factors.estimate(Irradiation("1.2.3", "1", Quantity.DLP, 100.0), 40) is None
