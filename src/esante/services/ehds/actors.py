"""What the FHIR API of the platform is in the EU Health Data API: its actors, and the guides of its documents.

Source: EU Health Data API 1.0.0-ballot, "Capability Discovery".
"""

from esante.core.types import Json

_API = "http://hl7.eu/fhir/health-data-api"
ACTORS = [
    f"{_API}/CapabilityStatement/EEHRxF-{name}"
    for name in ("DocumentAccessProvider", "DocumentAccessProvider-SubmissionOption", "ResourceAccessProvider")
]
CONTENT_GUIDES = [
    f"http://hl7.eu/fhir/{name}" for name in ("eps", "laboratory", "hdr", "imaging", "imaging-manifest-r5", "mpd")
]
"""The guides of the priority categories whose documents the platform takes and gives."""


def capabilities(base_url: str) -> Json:
    """Return what the CapabilityStatement says of both."""
    return {"instantiates": ACTORS, "implementationGuide": CONTENT_GUIDES}
