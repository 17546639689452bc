"""The rooms with tables, in the order in which their migrations are applied."""

ROOMS = (
    "web",
    "core.journal",
    "fhir",
    "directory",
    "access",
    "record",
    "notices",
    "export",
    "subscriptions",
    "bulletin",
    "demo",
)
