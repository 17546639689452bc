"""The settings of the exchange across borders."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """`exchange_country`: the country of this contact point (ISO 3166-1); `exchange_home`: the OID of its community.

    `exchange_connector`: what answers other countries; `record`: the shared record of this platform; empty: nothing,
    and the contact point does not start. `exchange_catalogue`: the folder of the catalogue of codes; empty: a small
    sample. `exchange_url`: the address at which other countries reach the contact point. `exchange_audit_url`: where
    audit messages are sent, as `tls://host:port` or, on this machine only, `tcp://127.0.0.1:port`; empty: nowhere.
    `exchange_audit_ca`: a file with the issuers of its certificate; empty: those of the system.
    """

    exchange_country: str = "LU"
    exchange_home: str = "1.3.182.2.12.10000734.6.1"
    exchange_connector: str = ""
    exchange_catalogue: str = ""
    exchange_url: str = "https://127.0.0.1:8443"
    exchange_audit_url: str = ""
    exchange_audit_ca: str = ""
