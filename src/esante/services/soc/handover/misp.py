"""A case as an event of MISP (MISP core format). Pure."""

from typing import Any
from uuid import UUID, uuid5

from esante.core.types import Json

_NAMESPACE = UUID("6f9c8f4e-2b1d-5c3a-9d53-0f0f6a3f7c11")
"""The namespace of the identifiers: the same case is the same event when it is handed over again."""
_THREAT_LEVELS = {4: "1", 3: "1", 2: "2", 1: "3", 0: "4"}
"""MISP's levels (1 high, 2 medium, 3 low, 4 undefined) by those of alerts."""
_ANALYSIS = {"open": "0", "working": "1", "closing": "1", "closed": "2", "merged": "2"}
_CATEGORIES = {
    "ip-src": "Network activity",
    "ip-dst": "Network activity",
    "hostname": "Network activity",
    "url": "Network activity",
    "sha256": "Payload delivery",
}
"""The categories of attributes by their type."""
_ORGANIZATION_ONLY = "0"
"""The distribution: whoever imports the event decides on its further sharing, within its TLP tag."""


def misp_event(content: Json) -> Json:
    """Return the MISP event of the content of a hand-over."""
    made_at = content["made_at"]
    event_id = uuid5(_NAMESPACE, content["reference"])
    attributes = [_attribute(event_id, one, made_at) for one in content.get("indicators", ())]
    techniques = sorted({one for alert in content.get("alerts", ()) for one in alert["techniques"]})
    tags = [{"name": content["tlp"].lower()}]
    tags += [{"name": f'misp-galaxy:mitre-attack-pattern="{one}"'} for one in techniques]
    return {
        "Event": {
            "uuid": str(event_id),
            "info": f"{content['reference']}: {content['title']}",
            "date": content["opened_at"].date().isoformat(),
            "timestamp": str(int(made_at.timestamp())),
            "threat_level_id": _THREAT_LEVELS[content["severity"]],
            "analysis": _ANALYSIS[content["state"]],
            "distribution": _ORGANIZATION_ONLY,
            "published": False,
            "Orgc": {"name": content["from"], "uuid": str(uuid5(_NAMESPACE, content["from"]))},
            "Tag": tags,
            "Attribute": attributes,
        }
    }


def _attribute(event_id: UUID, indicator: Json, made_at: Any) -> Json:
    return {
        "uuid": str(uuid5(event_id, f"{indicator['type']} {indicator['value']}")),
        "type": indicator["type"],
        "category": _CATEGORIES.get(indicator["type"], "Other"),
        "value": indicator["value"],
        "to_ids": indicator["type"] != "text",
        "distribution": _ORGANIZATION_ONLY,
        "timestamp": str(int(made_at.timestamp())),
        "comment": "",
        "disable_correlation": False,
    }
