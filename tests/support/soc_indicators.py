"""Support for tests of threat intelligence: attributes of MISP, indicators of STIX, and those that are kept."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from esante.services.soc.intelligence import indicator_store
from esante.services.soc.intelligence.model import Tlp
from esante.services.soc.intelligence.observables import (
    ObservableKind,
)

NOW = datetime.now(UTC).replace(microsecond=0)
STAMP = int(NOW.timestamp()) - 3600
SHA = "a" * 64


def attribute(value, kind="ip-dst", **changes):
    """Return an attribute of MISP."""
    given = {"uuid": str(uuid4()), "type": kind, "value": value, "to_ids": True, "timestamp": str(STAMP)}
    event = {"info": "Ransomware against hospitals", "Tag": [{"name": "tlp:green"}]}
    return {**given, "Event": event, **changes}


def indicator(pattern, **changes):
    """Return an indicator of STIX."""
    given = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid4()}",
        "created": "2026-11-01T00:00:00.000Z",
        "modified": "2026-11-01T00:00:00.000Z",
        "name": "Loader",
        "pattern": pattern,
        "pattern_type": "stix",
        "valid_from": "2026-11-01T00:00:00Z",
    }
    return given | changes


def bundle(*objects):
    """Return a bundle of STIX as a file."""
    return json.dumps({"type": "bundle", "id": f"bundle--{uuid4()}", "objects": objects}).encode()


def kept(kind, value, **changes):
    """Return an indicator that is kept."""
    given = {
        "kind": ObservableKind(kind),
        "value": value,
        "reference": value,
        "tlp": Tlp.GREEN,
        "confidence": 80,
        "valid_from": NOW - timedelta(days=1),
        "valid_until": None,
        "title": "",
        "indicator_id": uuid4(),
        "feed": "f",
        "added_at": NOW,
    }
    return indicator_store.KeptIndicator(**given | changes)


async def import_indicators(world, intelligence, *attributes):
    """Read a file of attributes of MISP."""
    content = json.dumps({"response": {"Attribute": attributes}}).encode()
    return await intelligence.import_file(world.anna, "test.json", content, Tlp.AMBER)
