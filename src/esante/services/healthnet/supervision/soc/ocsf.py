"""Flows and anomalies as events of the Open Cybersecurity Schema Framework (OCSF 1.8.0): classes 4001 and 2004."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from esante.services.healthnet.supervision.model import Anomaly

VERSION = "1.8.0"
NETWORK_ACTIVITY, TRAFFIC = 4001, 6
DETECTION_FINDING, CREATE, CLOSE = 2004, 1, 3
_SEVERITIES = {1: 2, 2: 3, 3: 4, 4: 5}
"""Levels of anomalies as severities of OCSF: low, medium, high, critical."""


def flow_event(
    site: str, other: str, received: int, sent: int, hour: datetime, addresses: Mapping[str, str]
) -> dict[str, Any]:
    """Return the traffic between a site and another one in an hour, as the site counted it."""
    end = hour + timedelta(hours=1)
    return {
        **_head(NETWORK_ACTIVITY, TRAFFIC, 1, end, f"{site}/{other}/{hour:%Y%m%dT%H}"),
        "category_uid": 4,
        "start_time": _millis(hour),
        "end_time": _millis(end),
        "src_endpoint": _endpoint(site, addresses),
        "dst_endpoint": _endpoint(other, addresses),
        "traffic": {"bytes": received + sent, "bytes_in": received, "bytes_out": sent},
        "message": f"Traffic of {site} with {other} in the health network",
    }


def anomaly_event(anomaly: Anomaly, addresses: Mapping[str, str]) -> dict[str, Any]:
    """Return an anomaly that was raised, or that ended when it has an end."""
    at = anomaly.ended_at or anomaly.raised_at
    activity = CLOSE if anomaly.ended_at else CREATE
    where = f"{anomaly.site} to {anomaly.other}" if anomaly.other else anomaly.site
    return {
        **_head(DETECTION_FINDING, activity, _SEVERITIES[anomaly.level], at, f"{anomaly.anomaly_id}/{activity}"),
        "category_uid": 2,
        "start_time": _millis(anomaly.began_at),
        "finding_info": {
            "uid": str(anomaly.anomaly_id),
            "title": f"Health network: {anomaly.rule}",
            "types": [anomaly.rule],
            "created_time": _millis(anomaly.raised_at),
        },
        "src_endpoint": _endpoint(anomaly.site, addresses),
        **({"dst_endpoint": _endpoint(anomaly.other, addresses)} if anomaly.other else {}),
        "message": f"{anomaly.rule} at {where}: {anomaly.value:.3g}",
    }


def _head(class_uid: int, activity: int, severity: int, at: datetime, uid: str) -> dict[str, Any]:
    return {
        "class_uid": class_uid,
        "activity_id": activity,
        "type_uid": class_uid * 100 + activity,
        "severity_id": severity,
        "time": _millis(at),
        "metadata": {"version": VERSION, "uid": uid, "product": {"name": "HealthNet", "vendor_name": "esante"}},
    }


def _endpoint(site: str, addresses: Mapping[str, str]) -> dict[str, Any]:
    return {"name": site, "hostname": site.lower(), **({"ip": addresses[site]} if site in addresses else {})}


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)
