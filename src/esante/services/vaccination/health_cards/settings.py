"""The settings of signed cards."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCardSettings:
    """`health_card_key`: file of the key that signs cards; empty: one made under `data`.

    `health_card_issuers`: file of other trusted issuers, in the layout of the VCI snapshot; empty: none.
    """

    health_card_key: str = ""
    health_card_issuers: str = ""
