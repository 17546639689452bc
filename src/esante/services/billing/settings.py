"""The settings of fee notes and their payment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingSettings:
    """The partners of the platform, and the times that are given to them.

    cns_url             address of the health insurance; empty: none, then what is for it waits
    cns_ca              file of the authorities that its certificate is checked against; empty: the usual ones
    cns_timeout         seconds to wait for its answer
    ra_interval         seconds between two turns of the messages to it
    ra_question_pause   seconds between two questions whether a note was reimbursed
    bank_url            address of the bank of the health insurance; empty: validated payments wait
    bank_timeout        seconds to wait for the bank's answer; then it is asked what became of the payment
    payment_iban        account of the health insurance from which professionals are paid
    payment_name        the account's holder
    billing_data        folder of files that replace those of the program: acts.csv, tariff.toml, surcharges.toml,
                        rules.toml, rates.toml; empty: none
    simulation_minutes  how long a simulation can be validated
    exchange_key        file of the RSA key and certificate that sign answers; empty: one made under `data`
    exchange_url        address of the exchange for clients where it has a server of its own; empty: the platform's
    """

    cns_url: str = ""
    cns_ca: str = ""
    cns_timeout: int = 5
    ra_interval: int = 10
    ra_question_pause: int = 900
    bank_url: str = ""
    bank_timeout: int = 10
    payment_iban: str = "LU280019400644750000"
    payment_name: str = "Caisse nationale de santé"
    billing_data: str = ""
    simulation_minutes: int = 15
    exchange_key: str = ""
    exchange_url: str = ""
