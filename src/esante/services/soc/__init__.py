"""The security operations centre (SOC): one watch over the security of the health sector."""

from esante.services.soc.detection.detector import Detector, Hit
from esante.services.soc.rules.faults import RuleFault
from esante.services.soc.rules.rule_set import RuleSet, load_rules

__all__ = ["Detector", "Hit", "RuleFault", "RuleSet", "load_rules"]
