"""What CDA fixes, the templates of MyHealth@EU, and codes that have a counterpart of another form in FHIR.

Sources: CDA R2 (POCD_HD000040), the eHDSI templates (ART-DECOR epSOS-), the bindings of FHIR R4.
"""

EHDSI = "1.3.6.1.4.1.12559.11.10.1.3.1"
LOINC = "2.16.840.1.113883.6.1"
SNOMED = "2.16.840.1.113883.6.96"
ACT_CODE = "2.16.840.1.113883.5.4"
ATC_URI = "http://www.whocc.no/atc"
ABSENT_UNKNOWN = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
OWN = "https://esante.lu/fhir/StructureDefinition"
CORE = "http://hl7.org/fhir/StructureDefinition"
DATA_ABSENT = f"{CORE}/data-absent-reason"
NULL_FLAVOR = f"{CORE}/iso21090-nullFlavor"
ORIGINAL_TEXT = f"{CORE}/originalText"
NARRATIVE_LINK = f"{CORE}/narrativeLink"
ORIGINAL_VALUE = f"{OWN}/cda-value"
TRANSLATION_OF = f"{OWN}/translation-of"
CDA_CODE = f"{OWN}/cda-code"

_OBS = (("classCode", "OBS"), ("moodCode", "EVN"))
FIXED: dict[str, tuple[tuple[str, str], ...]] = {
    "act": (("classCode", "ACT"), ("moodCode", "EVN")),
    "observation": _OBS,
    "organizer": (("classCode", "CLUSTER"), ("moodCode", "EVN")),
    "procedure": (("classCode", "PROC"), ("moodCode", "EVN")),
    "substanceAdministration": (("classCode", "SBADM"), ("moodCode", "INT")),
    "supply": (("classCode", "SPLY"), ("moodCode", "EVN")),
    "manufacturedProduct": (("classCode", "MANU"),),
    "manufacturedMaterial": (("classCode", "MMAT"), ("determinerCode", "KIND")),
    "asContent": (("classCode", "CONT"),),
    "containerPackagedProduct": (("classCode", "CONT"), ("determinerCode", "KIND")),
    "asSpecializedKind": (("classCode", "GRIC"),),
    "generalizedMaterialKind": (("classCode", "MMAT"), ("determinerCode", "KIND")),
    "ingredient": (("classCode", "ACTI"),),
    "ingredientSubstance": (("classCode", "MMAT"), ("determinerCode", "KIND")),
    "entryRelationship[SUBJ]": (("inversionInd", "true"),),
    "participantRole": (("classCode", "MANU"),),
    "playingEntity": (("classCode", "MMAT"),),
    "guardian": (("classCode", "GUARD"),),
}
"""Attributes that an element has whatever it says."""

CODE_SYSTEMS = {
    "33999-4": LOINC,
    "66455-7": LOINC,
    "82606-5": LOINC,
    "11323-3": LOINC,
    "30973-2": LOINC,
    "48767-8": LOINC,
    "75323-6": LOINC,
    "SEV": ACT_CODE,
    "SUBST": ACT_CODE,
    "PINSTRUCT": "1.3.6.1.4.1.19376.1.5.3.2",
    "FINSTRUCT": "1.3.6.1.4.1.19376.1.5.3.2",
}
TEMPLATES: dict[str, tuple[str, ...]] = {
    "33999-4": ("2.16.840.1.113883.10.20.1.57",),
    "66455-7": (f"{EHDSI}.3.35",),
    "82606-5": (f"{EHDSI}.3.33",),
    "11323-3": (f"{EHDSI}.3.10",),
    "30973-2": (f"{EHDSI}.3.28",),
    "SEV": ("1.3.6.1.4.1.19376.1.5.3.1.4.1",),
    "48767-8": ("1.3.6.1.4.1.19376.1.5.3.1.4.2",),
    "PINSTRUCT": ("1.3.6.1.4.1.19376.1.5.3.1.4.3",),
    "FINSTRUCT": ("1.3.6.1.4.1.19376.1.5.3.1.4.3.1",),
}
DOCUMENT_TEMPLATES = {
    "60591-5": f"{EHDSI}.1.3",
    "57833-6": f"{EHDSI}.1.1",
    "60593-1": f"{EHDSI}.1.2",
}
SECTION_TEMPLATES = {
    "48765-2": f"{EHDSI}.2.12",
    "11450-4": f"{EHDSI}.2.9",
    "11348-0": f"{EHDSI}.2.10",
    "10160-0": f"{EHDSI}.2.3",
    "47519-4": f"{EHDSI}.2.11",
    "46264-8": f"{EHDSI}.2.4",
    "11369-6": f"{EHDSI}.2.15",
    "10162-6": f"{EHDSI}.2.7",
    "29762-2": f"{EHDSI}.2.13",
    "8716-3": f"{EHDSI}.2.6",
    "30954-2": f"{EHDSI}.2.5",
    "47420-5": f"{EHDSI}.2.14",
    "42348-3": f"{EHDSI}.2.16",
    "18776-5": f"{EHDSI}.2.8",
    "57828-6": f"{EHDSI}.2.1",
    "60590-7": f"{EHDSI}.2.2",
}
NULL_REASONS = {
    "NI": "unknown",
    "UNK": "unknown",
    "NA": "not-applicable",
    "ASKU": "asked-unknown",
    "NASK": "not-asked",
    "NAV": "temp-unknown",
    "MSK": "masked",
    "OTH": "unsupported",
    "UNC": "unsupported",
    "DER": "unsupported",
    "INV": "error",
    "NINF": "negative-infinity",
    "PINF": "positive-infinity",
    "NP": "not-applicable",
    "QS": "unknown",
    "TRC": "unknown",
}
"""Null flavors of HL7 v3 and the reasons of FHIR's extension data-absent-reason."""
REASON_FLAVORS = {
    "unknown": "UNK",
    "asked-unknown": "ASKU",
    "temp-unknown": "NAV",
    "not-asked": "NASK",
    "asked-declined": "ASKU",
    "masked": "MSK",
    "not-applicable": "NA",
    "unsupported": "OTH",
    "as-text": "OTH",
    "error": "INV",
    "not-a-number": "NI",
    "negative-infinity": "NINF",
    "positive-infinity": "PINF",
    "not-performed": "NI",
    "not-permitted": "MSK",
}
CLINICAL = {
    "55561003": "active",
    "73425007": "inactive",
    "413322009": "resolved",
    "277022003": "remission",
    "255227004": "recurrence",
    "263855007": "relapse",
}
CONDITION_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
ALLERGY_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
CERTAINTY = {
    "410605003": "confirmed",
    "410592001": "provisional",
    "410590009": "unconfirmed",
    "410516002": "refuted",
    "2931005": "unconfirmed",
    "255545003": "confirmed",
    "385434005": "unconfirmed",
}
CONDITION_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
ALLERGY_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
ALLERGY_TYPES = {
    "416098002": ("allergy", "medication"),
    "59037007": ("intolerance", "medication"),
    "419511003": (None, "medication"),
    "414285001": ("allergy", "food"),
    "235719002": ("intolerance", "food"),
    "418471000": (None, "food"),
    "419199007": ("allergy", None),
    "418038007": (None, None),
    "426232007": ("allergy", "environment"),
    "609433001": (None, None),
    "420134006": (None, None),
}
"""SNOMED CT concepts of adverse reactions: type and category of AllergyIntolerance."""
SEVERITY = {
    "255604002": "mild",
    "6736007": "moderate",
    "24484000": "severe",
    "371923003": "mild",
    "371924009": "moderate",
    "442452003": "severe",
    "L": "mild",
    "M": "moderate",
    "H": "severe",
}
CRITICALITY = {
    "CRITL": "low",
    "CRITH": "high",
    "CRITU": "unable-to-assess",
    "62482003": "low",
    "75540009": "high",
    "1156316003": "unable-to-assess",
}
