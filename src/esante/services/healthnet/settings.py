"""The settings of the health network."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthnetSettings:
    """`healthnet_prefix6`: the prefix of the sites' IPv6 networks; `healthnet_prefix4`: of IPv4 networks, empty: none.

    `healthnet_zone`: the private zone of names. `healthnet_policy`: an own file in place of the packaged sample.
    `healthnet_heartbeat_seconds`: between heartbeats of an agent. `healthnet_client_cert`: a proxy hands certificates
    of clients on in `Client-Cert` and removes that field of theirs. `healthnet_soc_intake`: the address of the HTTP
    intake of the SOC, which gets flows and anomalies; empty: it gets none. `healthnet_tsa_url`: a time-stamp authority
    (RFC 3161) for the heads of the journal that cover receipts of messages; empty: none.
    """

    healthnet_prefix6: str = "fd5a:4c58:e540::/48"
    healthnet_prefix4: str = "10.96.0.0/16"
    healthnet_zone: str = "healthnet.internal"
    healthnet_policy: str = ""
    healthnet_heartbeat_seconds: int = 30
    healthnet_client_cert: bool = False
    healthnet_soc_intake: str = ""
    healthnet_tsa_url: str = ""
