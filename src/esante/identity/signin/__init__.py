"""Sign-in of people: passkeys, activation codes, sign-in services, recoveries, sessions."""

from esante.identity.signin.accounts.holders import Holders
from esante.identity.signin.accounts.service import Accounts
from esante.identity.signin.accounts.sessions import OwnSessions
from esante.identity.signin.activation.codes import Activation
from esante.identity.signin.ceremonies import Ceremonies
from esante.identity.signin.model import (
    CodePurpose,
    Holder,
    OperatorChanged,
    Passkey,
    PasskeyAdded,
    PasskeyRemoved,
    RecoveryChanged,
    SessionEnded,
    SignInCodeIssued,
)
from esante.identity.signin.passkeys.service import Passkeys
from esante.identity.signin.providers.service import Providers

__all__ = [
    "Accounts",
    "Activation",
    "Ceremonies",
    "CodePurpose",
    "Holder",
    "Holders",
    "OperatorChanged",
    "OwnSessions",
    "Passkey",
    "PasskeyAdded",
    "PasskeyRemoved",
    "Passkeys",
    "Providers",
    "RecoveryChanged",
    "SessionEnded",
    "SignInCodeIssued",
]
