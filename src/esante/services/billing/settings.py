"""The settings of fee notes and their payment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingSettings:
    """`exchange_key`: file of the RSA key and certificate that sign answers; empty: one made under `data`.

    `exchange_url`: the address of the exchange for its clients, where it has a server of its own; empty: that of the
    platform.
    """

    exchange_key: str = ""
    exchange_url: str = ""
