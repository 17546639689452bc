"""The settings of the exchange across borders."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """`ncp_country`: the country of this contact point (ISO 3166-1); `ncp_home`: the OID of its community.

    `ncp_connector`: what answers other countries; `record`: the shared record of this platform; empty: nothing,
    and the contact point does not start. `ncp_catalogue`: the folder of the catalogue of codes; empty: a small
    sample. `ncp_url`: the address at which other countries reach the contact point. `ncp_audit_url`: where
    audit messages are sent, as `tls://host:port` or, on this machine only, `tcp://127.0.0.1:port`; empty: nowhere.
    `ncp_audit_ca`: a file with the issuers of its certificate; empty: those of the system.
    """

    ncp_country: str = "LU"
    ncp_home: str = "1.3.182.2.12.10000734.6.1"
    ncp_connector: str = ""
    ncp_catalogue: str = ""
    ncp_url: str = "https://127.0.0.1:8443"
    ncp_audit_url: str = ""
    ncp_audit_ca: str = ""
