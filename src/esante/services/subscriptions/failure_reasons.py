"""Texts for the reasons why a delivery failed or a subscription ended."""

from esante.core.web import N_, translator

DELIVERY_FAILURES = {
    "address": N_("We cannot send notifications to the address of the endpoint."),
    "connection": N_("The endpoint does not accept connections."),
    "tls": N_("The endpoint's certificate or TLS connection is not valid."),
    "timeout": N_("The endpoint did not reply in time."),
    "answer": N_("The endpoint closed the connection, or its reply is not HTTP."),
    "status": N_("The endpoint replied with an error."),
}
"""Msgids by the `reason` of `rest_hook.EndpointUnreachable` and `rest_hook.NotificationNotAccepted`."""
END_CAUSES = {
    "expired": N_("The subscription has ended."),
    "too-old": N_("The subscription had errors for too long."),
    "too-many": N_("There were too many events waiting."),
    "not-allowed": N_("The subscriber is no longer allowed to receive notifications."),
}
"""Msgids by the `cause` of `model.SubscriptionEnded` where the platform ended it."""


def describe_error(error: str) -> tuple[str, str]:
    """Return the msgid and the HTTP status ("" for none) of a stored error: a key, and perhaps a status."""
    key, _, status = error.partition(" ")
    return {**DELIVERY_FAILURES, **END_CAUSES}.get(key, ""), status


def error_in_english(error: str) -> str:
    """Return the text of a stored error for a FHIR resource; "" for none."""
    msgid, status = describe_error(error)
    return " ".join(part for part in (translator("en").gettext(msgid) if msgid else "", status) if part)
