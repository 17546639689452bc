"""Radiation dose reports (PS3.16, TID 10001 and 10011), as far as devices always fill them in."""

from collections.abc import Iterable, Sequence

from pydicom import Dataset
from pydicom.uid import XRayRadiationDoseSRStorage

Code = tuple[str, str, str]
"""Value, scheme and meaning."""
Irradiation = tuple[str, Code, float]
"""UID of the irradiation event, region, and dose-length product in mGy.cm or dose-area product in Gy.m2."""


def ct_dose_report(irradiations: Sequence[Irradiation]) -> Dataset:
    """Return the report of a CT: the sum, and each acquisition (TID 10011, 10012, 10013)."""
    total = _container(
        "113811",
        "CT Accumulated Dose Data",
        [
            _number("113812", "Total Number of Irradiation Events", len(irradiations), "{events}"),
            _number("113813", "CT Dose Length Product Total", sum(dose for _, _, dose in irradiations), "mGy.cm"),
        ],
    )
    acquisitions = [
        _container(
            "113819",
            "CT Acquisition",
            [
                _code("123014", "Target Region", region),
                _uid("113769", "Irradiation Event UID", event),
                _container("113829", "CT Dose", [_number("113838", "DLP", dose, "mGy.cm")]),
            ],
        )
        for event, region, dose in irradiations
    ]
    return _report("10011", [total, *acquisitions])


def xray_dose_report(irradiations: Sequence[Irradiation]) -> Dataset:
    """Return the report of radiographs: the sum, and each exposure (TID 10001, 10002, 10003)."""
    total = _container(
        "113702",
        "Accumulated X-Ray Dose Data",
        [_number("113722", "Dose Area Product Total", sum(dose for _, _, dose in irradiations), "Gy.m2")],
    )
    events = [
        _container(
            "113706",
            "Irradiation Event X-Ray Data",
            [
                _uid("113769", "Irradiation Event UID", event),
                _code("123014", "Target Region", region),
                _number("122130", "Dose Area Product", dose, "Gy.m2"),
            ],
        )
        for event, region, dose in irradiations
    ]
    return _report("10001", [total, *events])


def _report(template: str, content: Iterable[Dataset]) -> Dataset:
    report = _container("113701", "X-Ray Radiation Dose Report", content)
    del report.RelationshipType
    report.SOPClassUID = XRayRadiationDoseSRStorage
    report.CompletionFlag, report.VerificationFlag = "COMPLETE", "UNVERIFIED"
    used = Dataset()
    used.MappingResource, used.TemplateIdentifier = "DCMR", template
    report.ContentTemplateSequence = [used]
    return report


def _item(kind: str, value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", kind
    item.ConceptNameCodeSequence = [_coded((value, "DCM", meaning))]
    return item


def _container(value: str, meaning: str, content: Iterable[Dataset]) -> Dataset:
    item = _item("CONTAINER", value, meaning)
    item.ContinuityOfContent, item.ContentSequence = "SEPARATE", list(content)
    return item


def _number(value: str, meaning: str, amount: float, unit: str) -> Dataset:
    item, measured = _item("NUM", value, meaning), Dataset()
    measured.MeasurementUnitsCodeSequence = [_coded((unit, "UCUM", unit))]
    measured.NumericValue = f"{amount:.9g}"
    item.MeasuredValueSequence = [measured]
    return item


def _code(value: str, meaning: str, concept: Code) -> Dataset:
    item = _item("CODE", value, meaning)
    item.ConceptCodeSequence = [_coded(concept)]
    return item


def _uid(value: str, meaning: str, uid: str) -> Dataset:
    item = _item("UIDREF", value, meaning)
    item.UID = uid
    return item


def _coded(code: Code) -> Dataset:
    found = Dataset()
    found.CodeValue, found.CodingSchemeDesignator, found.CodeMeaning = code
    return found
