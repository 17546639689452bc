"""The settings of fee notes and their payment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingSettings:
    """The partners of the platform, and the times that are given to them.

    cns_url             address of the health insurance; empty: it is taken as silent
    cns_timeout         seconds to wait for the insurance's answer
    bank_url            address of the bank of the health insurance; empty: validated payments wait
    bank_timeout        seconds to wait for the bank's answer; then it is asked what became of the payment
    payment_iban        account of the health insurance from which professionals are paid
    payment_name        the account's holder
    simulation_minutes  how long a simulation can be validated
    exchange_key        file of the RSA key and certificate that sign answers; empty: one made under `data`
    exchange_url        address of the exchange for clients where it has a server of its own; empty: the platform's
    """

    cns_url: str = ""
    cns_timeout: float = 5.0
    bank_url: str = ""
    bank_timeout: float = 10.0
    payment_iban: str = "LU280019400644750000"
    payment_name: str = "Caisse nationale de santé"
    simulation_minutes: int = 15
    exchange_key: str = ""
    exchange_url: str = ""
