"""The settings of incentives."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IncentiveSettings:
    """`incentive_schemes`: an own file of schemes in place of the packaged one; empty: the packaged one.

    `incentive_debtor_name`, `incentive_debtor_iban`: the account from which incentives are paid; empty: none is paid.
    """

    incentive_schemes: str = ""
    incentive_debtor_name: str = ""
    incentive_debtor_iban: str = ""
