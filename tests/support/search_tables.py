"""Data of R4 for the search oracle: search parameters, bindings, and the UCUM units that the tests use."""

from decimal import Decimal

PATIENT = {"patient": ("reference", "subject|Patient"), "subject": ("reference", "subject")}
OBSERVATION_STATUS = "http://hl7.org/fhir/observation-status"

#: For each type: parameter -> its kind and paths; `|T` keeps references to T; composites name base and components.
PARAMETERS: dict[str, dict[str, tuple[str, ...]]] = {
    "Observation": {
        **PATIENT,
        "code": ("token", "code"),
        "category": ("token", "category"),
        "status": ("token", "status"),
        "identifier": ("token", "identifier"),
        "combo-code": ("token", "code", "component.code"),
        "component-code": ("token", "component.code"),
        "value-concept": ("token", "value[CodeableConcept]"),
        "data-absent-reason": ("token", "dataAbsentReason"),
        "combo-value-concept": ("token", "value[CodeableConcept]", "component.value[CodeableConcept]"),
        "value-string": ("string", "value[string]", "value[CodeableConcept].text"),
        "value-quantity": ("quantity", "value[Quantity]", "value[SampledData]"),
        "component-value-quantity": ("quantity", "component.value[Quantity]", "component.value[SampledData]"),
        "combo-value-quantity": (
            "quantity", "value[Quantity]", "value[SampledData]", "component.value[Quantity]",
            "component.value[SampledData]",
        ),
        "value-date": ("date", "value[dateTime]", "value[Period]"),
        "date": ("date", "effective[dateTime]", "effective[Period]", "effective[Timing]", "effective[instant]"),
        "encounter": ("reference", "encounter"),
        "performer": ("reference", "performer"),
        "has-member": ("reference", "hasMember"),
        "derived-from": ("reference", "derivedFrom"),
        "code-value-quantity": ("composite", "", "token code", "quantity value[Quantity]"),
        "code-value-concept": ("composite", "", "token code", "token value[CodeableConcept]"),
        "code-value-string": ("composite", "", "token code", "string value[string]"),
        "component-code-value-quantity": ("composite", "component", "token code", "quantity value[Quantity]"),
        "combo-code-value-quantity": ("composite", "|component", "token code", "quantity value[Quantity]"),
    },
    "Condition": {
        **PATIENT,
        "code": ("token", "code"),
        "category": ("token", "category"),
        "clinical-status": ("token", "clinicalStatus"),
        "body-site": ("token", "bodySite"),
        "severity": ("token", "severity"),
        "onset-date": ("date", "onset[dateTime]", "onset[Period]"),
        "onset-age": ("quantity", "onset[Age]", "onset[Range]"),
        "onset-info": ("string", "onset[string]"),
        "abatement-date": ("date", "abatement[dateTime]", "abatement[Period]"),
        "recorded-date": ("date", "recordedDate"),
        "encounter": ("reference", "encounter"),
        "asserter": ("reference", "asserter"),
        "evidence-detail": ("reference", "evidence.detail"),
    },
    "Encounter": {
        **PATIENT,
        "class": ("token", "class"),
        "type": ("token", "type"),
        "status": ("token", "status"),
        "identifier": ("token", "identifier"),
        "date": ("date", "period"),
        "length": ("quantity", "length"),
        "reason-code": ("token", "reasonCode"),
        "participant": ("reference", "participant.individual"),
        "service-provider": ("reference", "serviceProvider"),
        "part-of": ("reference", "partOf"),
        "diagnosis": ("reference", "diagnosis.condition"),
    },
    "MedicationRequest": {
        **PATIENT,
        "status": ("token", "status"),
        "intent": ("token", "intent"),
        "code": ("token", "medication[CodeableConcept]"),
        "authoredon": ("date", "authoredOn"),
        "date": ("date", "dosageInstruction.timing.event"),
        "encounter": ("reference", "encounter"),
        "requester": ("reference", "requester"),
    },
    "DiagnosticReport": {
        **PATIENT,
        "code": ("token", "code"),
        "status": ("token", "status"),
        "date": ("date", "effective[dateTime]", "effective[Period]"),
        "issued": ("date", "issued"),
        "result": ("reference", "result"),
        "encounter": ("reference", "encounter"),
    },
    "Immunization": {
        "patient": ("reference", "patient"),
        "status": ("token", "status"),
        "vaccine-code": ("token", "vaccineCode"),
        "date": ("date", "occurrence[dateTime]"),
        "lot-number": ("string", "lotNumber"),
        "series": ("string", "protocolApplied.series"),
    },
    "Procedure": {
        **PATIENT,
        "code": ("token", "code"),
        "status": ("token", "status"),
        "date": ("date", "performed[dateTime]", "performed[Period]"),
        "encounter": ("reference", "encounter"),
        "reason-reference": ("reference", "reasonReference"),
        "instantiates-uri": ("uri", "instantiatesUri"),
    },
    "RiskAssessment": {
        **PATIENT,
        "probability": ("number", "prediction.probability[decimal]", "prediction.probability[Range]"),
        "condition": ("reference", "condition"),
        "risk": ("token", "prediction.qualitativeRisk"),
        "date": ("date", "occurrence[dateTime]"),
        "encounter": ("reference", "encounter"),
    },
    "Practitioner": {
        "name": ("string", "name"),
        "family": ("string", "name.family"),
        "identifier": ("token", "identifier"),
        "gender": ("token", "gender"),
        "active": ("token", "active"),
        "telecom": ("token", "telecom"),
        "address": ("string", "address"),
        "address-city": ("string", "address.city"),
    },
}  # fmt: skip
COMMON = {
    "_tag": ("token", "meta.tag"),
    "_security": ("token", "meta.security"),
    "_profile": ("uri", "meta.profile"),
    "_source": ("uri", "meta.source"),
}
#: The code systems of required bindings, for codes without a system.
SYSTEMS = {
    ("Observation", "status"): OBSERVATION_STATUS,
    ("Encounter", "status"): "http://hl7.org/fhir/encounter-status",
    ("Practitioner", "gender"): "http://hl7.org/fhir/administrative-gender",
}
UCUM = "http://unitsofmeasure.org"
_MOL, _PA = Decimal("6.02214076e23"), Decimal("1000")
#: Dimensions and factors of the UCUM units that occur in the tests.
UNITS: dict[str, tuple[str, Decimal]] = {
    **{code: ("mass", Decimal(f)) for code, f in {"g": "1", "mg": "1e-3", "ug": "1e-6", "pg": "1e-12", "kg": "1e3",
                                                  "[lb_av]": "453.59237"}.items()},
    **{code: ("length", Decimal(f)) for code, f in {"m": "1", "cm": "0.01", "mm": "0.001", "[in_i]": "0.0254"}.items()},
    **{code: ("volume", Decimal(f)) for code, f in {"L": "1e-3", "mL": "1e-6", "ml": "1e-6", "fL": "1e-18"}.items()},
    **{code: ("time", Decimal(f)) for code, f in {"s": "1", "min": "60", "h": "3600", "d": "86400",
                                                  "a": "31557600"}.items()},
    **{code: ("mass/volume", Decimal(f)) for code, f in {"mg/dL": "10", "g/dL": "1e4", "g/L": "1e3", "pg/mL": "1e-6",
                                                         "mg/L": "1"}.items()},
    **{code: ("1/volume", Decimal(f)) for code, f in {"10*3/uL": "1e12", "10*6/uL": "1e15", "10*12/L": "1e15"}.items()},
    "mmol/L": ("1/volume", _MOL), "umol/L": ("1/volume", _MOL / 1000),
    "kU/L": ("1/volume/time", _MOL / 60), "U/L": ("1/volume/time", _MOL / 60000), "U": ("1/time", _MOL / 60000000),
    **{code: ("1", Decimal(f)) for code, f in {"%": "0.01", "{score}": "1", "{T-score}": "1", "mg/g": "1e-3",
                                               "mg/kg": "1e-6", "1": "1"}.items()},
    "mm[Hg]": ("pressure", Decimal("133.322") * _PA), "kPa": ("pressure", 1000 * _PA), "Cel": ("Cel", Decimal(1)),
    "kg/m2": ("mass/area", Decimal(1000)), "mg/m2": ("mass/area", Decimal("0.001")),
    "mL/min": ("volume/time", Decimal("1e-6") / 60), "mL/min/{1.73_m2}": ("volume/time", Decimal("1e-6") / 60),
    "/min": ("1/time", Decimal(1) / 60), "g/cm-2": ("mass*area", Decimal("1e-4")),
}  # fmt: skip
#: Written as UCUM codes, but not UCUM units.
NO_UNITS = {"ea", "drop", "mcg", "mEq", "ml/hr"}
