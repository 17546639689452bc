"""Answers patient discovery (XCPD, ITI-55)."""

from esante.core.time_zone import today
from esante.services.exchange.assertions.model import Cause, Refused
from esante.services.exchange.assertions.rules import Act
from esante.services.exchange.connector import NationalConnector
from esante.services.exchange.contact_points.mask import matches
from esante.services.exchange.contact_points.model import FieldKind
from esante.services.exchange.contact_points.terms import terms_on
from esante.services.exchange.country_a.authentication import Authentication
from esante.services.exchange.country_a.limits import UNEXPECTED, RequestLimits
from esante.services.exchange.country_a.model import Answered, Asking, Incoming
from esante.services.exchange.hl7v3.discovery import read_query, write_answer
from esante.services.exchange.hl7v3.model import PatientAnswer, PatientQuery, Refusal, ResponseCode

ACTION = "urn:hl7-org:v3:PRPA_IN201306UV02:CrossGatewayPatientDiscovery"
REQUEST = "{urn:hl7-org:v3}PRPA_IN201305UV02"
_ISSUES = "1.3.6.1.4.1.12559.11.10.1.3.2.2.1"
NO_MATCH, MULTIPLE = "ERROR_PI_NO_MATCH", "ERROR_PI_MULTIPLE_MATCHES"
FORMAT, REQUIRED = "ERROR_PI_INCORRECT_FORMATTING", "ERROR_PI_MISSING_REQUIRED_FIELDS"
_NO_MATCH = Refusal(NO_MATCH, "No patient is found that can be answered.")
_MULTIPLE = Refusal(MULTIPLE, "Several patients are found: say more.", "AdditionalDemographicsRequested")
_WRONG_RECEIVER = Refusal("ERROR_PI_GENERIC", "The receiver is another home community.", "InternalError")
_TOO_MANY = Refusal(UNEXPECTED, "There were too many requests: ask again later.", "ResponderBusy")
_NO_ID = Refusal(REQUIRED, "An identifier of the patient is needed.", "DemographicsQueryNotAllowed", _ISSUES)
_REQUIRED = Refusal(REQUIRED, "The search mask asks for more.", "AdditionalDemographicsRequested")
_FORMAT = Refusal(FORMAT, "An identifier has not the form of the search mask.", "AnswerNotAvailable")


class Discovery:
    """The transaction over a national connector."""

    def __init__(
        self, authentication: Authentication, limits: RequestLimits, connector: NationalConnector, home: str
    ) -> None:
        self._authentication, self._limits, self._connector, self._home = authentication, limits, connector, home

    async def answer(self, incoming: Incoming) -> Answered:
        """Return the answer. Raises: `Malformed`."""
        query = read_query(incoming.content)
        try:
            asking = self._authentication.identify(incoming, [Act.IDENTIFY])
        except Refused as refused:
            return self._refuse(query, _refusal_of(refused), is_error=True)
        patient = "|".join(sorted(one.cx for one in query.ids))
        if not await self._limits.admit(asking.requester, incoming.point.country, patient, is_search=True):
            return self._refuse(query, _TOO_MANY, asking, is_error=True)
        if (refusal := self._fault_of(query)) is not None:
            return self._refuse(query, refusal, asking, is_error=True)
        if not incoming.point.asks:
            return self._refuse(query, _NO_MATCH, asking)
        found = await self._connector.find_patients(asking.requester, query)
        if len(found.patients) == 1:
            answer = PatientAnswer(query, patients=found.patients, home=self._home)
            return Answered(
                content=write_answer(answer),
                patient=query.ids[0].cx,
                person_id=found.person_id,
                verdict=found.verdict,
                asking=asking,
            )
        refusal = _MULTIPLE if found.patients else _NO_MATCH
        answer = PatientAnswer(query, refusal=refusal, response=ResponseCode.NOT_FOUND, home=self._home)
        return Answered(
            content=write_answer(answer),
            outcome=refusal.code,
            patient=query.ids[0].cx,
            person_id=found.person_id,
            verdict=found.verdict,
            asking=asking,
        )

    def _fault_of(self, query: PatientQuery) -> Refusal | None:
        """Return why a query is not looked up, whoever it is about."""
        if query.receiver != self._home:
            return _WRONG_RECEIVER
        if not any(one.root and one.extension for one in query.ids):
            return _NO_ID
        said = {FieldKind.BIRTH_DATE: query.birth, FieldKind.SEX: query.gender, FieldKind.TEXT: query.family}
        for field in terms_on(today()).mask:
            if field.kind is FieldKind.ID:
                values = [one.extension for one in query.ids if one.root == field.domain]
                if not all(matches(field, value) for value in values):
                    return _FORMAT
            elif field.is_mandatory and not said[field.kind]:
                return _REQUIRED
        return None

    def _refuse(
        self, query: PatientQuery, refusal: Refusal, asking: Asking | None = None, *, is_error: bool = False
    ) -> Answered:
        response = ResponseCode.ERROR if is_error else ResponseCode.NOT_FOUND
        answer = PatientAnswer(query, refusal=refusal, is_error=is_error, response=response, home=self._home)
        return Answered(content=write_answer(answer), outcome=refusal.code, asking=asking)


def _refusal_of(refused: Refused) -> Refusal:
    management = "PatientAuthenticationRequired" if refused.cause is Cause.OTHER_PATIENT else "InsufficientRights"
    return Refusal(refused.cause.value, f"{refused.reason}.", management, _ISSUES)
