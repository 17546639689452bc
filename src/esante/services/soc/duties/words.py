"""Facts, and the sections of notifications, in words."""

from collections.abc import Mapping

from esante.core.web import N_, P_
from esante.services.soc.duties.model import MOMENTS, DataRisk, DeviceHarm, Entity

SECTION_NAMES: Mapping[str, str] = {
    "entity": N_("Organisation"),
    "contact": N_("Contact for questions"),
    "times": N_("Times"),
    "nature": N_("What happened"),
    "thresholds": N_("Thresholds reached"),
    "impact": N_("Impact"),
    "malicious": N_("Suspected unlawful or malicious act"),
    "cross_border": N_("Effect in other countries"),
    "indicators": N_("Indicators of compromise"),
    "measures": N_("Measures taken and planned"),
    "cause": N_("Cause"),
    "persons": N_("Persons and data concerned"),
    "consequences": N_("Likely consequences"),
    "advice": N_("What you can do"),
    "device": N_("Medical device"),
}
"""The sections of notifications in words (msgids)."""

FACT_NAMES: Mapping[str, str] = {
    "detected_at": N_("Detected at"),
    "aware_at": N_("Known to be significant since"),
    "breach_aware_at": N_("Known to concern personal data since"),
    "handled_at": N_("Incident over since"),
    "entity": N_("Kind of organisation"),
    "planned_maintenance": N_("It was planned maintenance"),
    "outage_minutes": N_("Service out, minutes"),
    "users_out_percent": N_("Share of users without service, per cent"),
    "analyses_out_percent": N_("Share of analyses out, per cent"),
    "severe_disruption": N_("Severe disruption or financial loss has happened or is possible"),
    "malicious_access": N_("Somebody had malicious access that can cause serious disruption"),
    "physical_access": N_("Somebody unauthorised had physical access"),
    "cross_border": N_("There is an effect in another country"),
    "affected_users": N_("Users whose data were concerned"),
    "trade_secrets": N_("Trade secrets were disclosed"),
    "reversible_harm": N_("Persons with reversible harm"),
    "irreversible_harm": N_("Persons with irreversible harm"),
    "deaths": N_("Deaths"),
    "person_endangered": N_("A person was endangered"),
    "considerable_harm": N_("The health of a person was considerably harmed"),
    "public_health_risk": N_("There is a risk to public health"),
    "considerable_damage": N_("Others have considerable damage, or may have"),
    "loss_eur": N_("Own loss, euros"),
    "earlier_loss_eur": N_("Earlier losses of the same cause within six months, euros"),
    "turnover_eur": N_("Turnover of the last year, euros"),
    "damage_legal_eur": N_("Largest damage to a legal person, euros"),
    "damage_natural_eur": N_("Largest damage to a natural person, euros"),
    "personal_data": N_("Personal data were lost, changed, or seen by somebody unauthorised"),
    "data_risk": N_("Risk to the persons concerned"),
    "data_unreadable": N_("The data cannot be read by others (encrypted)"),
    "risk_removed": N_("A measure taken since has removed the high risk"),
    "device_harm": N_("Involvement of a medical device"),
}
"""The facts in words (msgids)."""

CHOICES: Mapping[str, Mapping[str, str]] = {
    "entity": {
        Entity.HOSPITAL: N_("Hospital"),
        Entity.LABORATORY: N_("Laboratory"),
        Entity.OTHER: P_("organisation", "Other"),
    },
    "data_risk": {
        DataRisk.NONE: N_("No risk is likely"),
        DataRisk.RISK: N_("A risk is likely"),
        DataRisk.HIGH: N_("A high risk is likely"),
    },
    "device_harm": {
        DeviceHarm.NONE: N_("No device was involved"),
        DeviceHarm.SERIOUS: N_("Serious incident, or possibly one"),
        DeviceHarm.DEATH: N_("Death or unexpected serious deterioration"),
        DeviceHarm.PUBLIC: N_("Serious threat to public health"),
    },
}
"""The words that facts may be (msgids)."""

FACT_GROUPS: Mapping[str, tuple[str, ...]] = {
    N_("Times"): MOMENTS,
    N_("Service"): (
        "entity",
        "planned_maintenance",
        "outage_minutes",
        "users_out_percent",
        "analyses_out_percent",
        "severe_disruption",
    ),
    N_("Access and data"): (
        "malicious_access",
        "physical_access",
        "affected_users",
        "trade_secrets",
        "cross_border",
        "personal_data",
        "data_risk",
        "data_unreadable",
        "risk_removed",
    ),
    N_("Harm to persons"): (
        "reversible_harm",
        "irreversible_harm",
        "deaths",
        "person_endangered",
        "considerable_harm",
        "public_health_risk",
        "device_harm",
    ),
    N_("Damage in money"): (
        "considerable_damage",
        "loss_eur",
        "earlier_loss_eur",
        "turnover_eur",
        "damage_legal_eur",
        "damage_natural_eur",
    ),
}
"""The facts in the order of the form, by groups (msgids)."""
