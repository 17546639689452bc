"""Queries for patients, and their answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class InstanceId:
    """An identifier: the OID of its issuer, and its value ("" where the OID says all)."""

    root: str
    extension: str = ""

    @property
    def cx(self) -> str:
        """The identifier as CX, as registries write patients."""
        return f"{self.extension}^^^&{self.root}&ISO"


@dataclass(frozen=True, slots=True)
class PatientQuery:
    """Whom somebody looks for.

    `sender`, `receiver`: OIDs of home communities or devices. `birth`: a date or a part of one, such as `19670630`.
    `scopes`: the issuers whose identifiers are wanted. `other`: names of parameters that are not known here.
    """

    message_id: InstanceId
    query_id: InstanceId
    sender: str
    receiver: str
    ids: Sequence[InstanceId] = ()
    gender: str = ""
    birth: str = ""
    family: str = ""
    given: str = ""
    country: str = ""
    scopes: Sequence[str] = ()
    other: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class FoundPatient:
    """A patient of an answer; gender as in HL7 v3 (M, F, UN), birth as a date without separators."""

    ids: Sequence[InstanceId]
    family: str = ""
    given: Sequence[str] = ()
    prefix: str = ""
    gender: str = ""
    birth: str = ""
    street: str = ""
    postal_code: str = ""
    city: str = ""
    country: str = ""


class ResponseCode(StrEnum):
    """What became of a query (queryResponseCode)."""

    OK = "OK"
    NOT_FOUND = "NF"
    ERROR = "AE"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nobody is answered: a name such as ERROR_PI_NO_MATCH, and what it means.

    `management`: a code of `detectedIssueManagement`, with its system.
    """

    code: str
    text: str
    management: str = "AnswerNotAvailable"
    management_system: str = "1.3.6.1.4.1.19376.1.2.27.3"


@dataclass(frozen=True, slots=True)
class PatientAnswer:
    """The answer to a query. `is_error`: whether the query could not be handled (typeCode AE)."""

    query: PatientQuery
    patients: Sequence[FoundPatient] = ()
    refusal: Refusal | None = None
    is_error: bool = False
    response: ResponseCode = ResponseCode.OK
    home: str = field(default="")
    """The OID of the home community that answers."""


@dataclass(frozen=True, slots=True)
class IdentifierQuery:
    """Which identifiers of a patient somebody asks for (PIXv3); `domains`: the OIDs of their issuers, () for all."""

    message_id: InstanceId
    query_id: InstanceId
    sender: str
    receiver: str
    patient: InstanceId
    domains: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PatientFeed:
    """What a system says of a patient (PIXv3): `interaction` says whether they are new, changed or merged."""

    interaction: str
    message_id: InstanceId
    sender: str
    receiver: str
    patient: FoundPatient
