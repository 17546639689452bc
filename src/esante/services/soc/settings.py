"""The settings of the SOC."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SocSettings:
    """Settings of the SOC.

    soc_rules        folder of the Sigma rules that the stream is matched with; empty: none
    soc_certificate  file of the server's certificate, with those of its issuers (PEM)
    soc_key          file of its private key (PEM)
    soc_hot_days     days that stay in the database beside today, before they are moved to files
    soc_feeds        file of the feeds of indicators (TOML); empty: none
    soc_feed_networks    networks in which feeds may be besides the internet (CIDR, separated by spaces)
    soc_warning_lists    folder of warning lists in the JSON of MISP; empty: the packaged ones only
    soc_mail_server  where messages to contacts go, such as smtp+starttls://user@mail.example; empty: none are sent
    soc_mail_sender  the address from which they come
    soc_mail_password    file of the password of the mail server's user; empty: none
    soc_health       whether the journal is searched for misuse of health data
    """

    soc_rules: str = ""
    soc_certificate: str = ""
    soc_key: str = ""
    soc_hot_days: int = 3
    soc_feeds: str = ""
    soc_feed_networks: str = ""
    soc_warning_lists: str = ""
    soc_mail_server: str = ""
    soc_mail_sender: str = ""
    soc_mail_password: str = ""
    soc_health: bool = True
