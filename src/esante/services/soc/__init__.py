"""The security operations centre (SOC): one watch over the security of the health sector."""

from esante.services.soc.detection.detector import Detector, Hit
from esante.services.soc.detection.evidence import Evidence, evidence_of
from esante.services.soc.events.normalize import normalize
from esante.services.soc.events.schema import NotNormalized
from esante.services.soc.rules.faults import RuleFault
from esante.services.soc.rules.rule_set import RuleSet, load_rules
from esante.services.soc.scan.samples import load_admitted_rules

__all__ = [
    "Detector",
    "Evidence",
    "Hit",
    "NotNormalized",
    "RuleFault",
    "RuleSet",
    "evidence_of",
    "load_admitted_rules",
    "load_rules",
    "normalize",
]
