"""The rooms with tables, in the order in which their migrations are applied."""

ROOMS = (
    "core.web",
    "core.journal",
    "core.fhir",
    "identity.directory",
    "identity.access",
    "services.record",
    "services.notices",
    "services.export",
    "services.subscriptions",
    "services.bulletin",
    "demo",
)
