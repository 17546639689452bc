"""The order of elements that the CDA model has (POCD_HD000040)."""

from typing import Any

from esante.services.exchange.cda import local_name

_ORDER = (
    *("realmCode", "typeId", "templateId", "id", "code", "originalText", "qualifier", "translation"),
    *("title", "text", "statusCode", "low", "high", "effectiveTime", "priorityCode", "confidentialityCode"),
    *("languageCode", "setId", "versionNumber", "recordTarget"),
    *("repeatNumber", "independentInd", "routeCode", "approachSiteCode", "doseQuantity", "rateQuantity"),
    *("maxDoseQuantity", "administrationUnitCode", "quantity", "expectedUseTime", "consumable", "product", "value"),
    *("interpretationCode", "methodCode", "targetSiteCode", "subject", "specimen", "performer"),
    *("functionCode", "time", "signatureCode", "numerator", "denominator"),
    *("addr", "telecom", "patient", "providerOrganization"),
    *("assignedPerson", "assignedAuthoringDevice", "assignedEntity", "assignedAuthor", "associatedEntity"),
    *("associatedPerson", "representedOrganization", "representedCustodianOrganization", "assignedCustodian"),
    *("manufacturedMaterial", "manufacturerOrganization", "playingDevice", "playingEntity", "scopingEntity"),
    *("scopingOrganization", "manufacturerModelName", "softwareName"),
    *("author", "dataEnterer", "informant", "custodian", "informationRecipient", "legalAuthenticator"),
    *("authenticator", "participant", "entryRelationship", "inFulfillmentOf", "documentationOf", "relatedDocument"),
    *("authorization", "componentOf", "name", "administrativeGenderCode", "birthTime", "maritalStatusCode"),
    *("guardian", "guardianPerson", "birthplace", "languageCommunication", "entry", "reference", "referenceRange"),
    *("event", "period", "component", "lotNumberText", "desc", "formCode", "capacityQuantity", "expirationTime"),
    *("containerPackagedProduct", "asContent", "asSpecializedKind", "generalizedMaterialKind", "ingredient"),
    *("ingredientSubstance",),
)
_RANKS = {name: rank for rank, name in enumerate(_ORDER)}
_OWN: dict[str, tuple[str, ...]] = {
    "representedOrganization": ("id", "name", "telecom", "addr"),
    "representedCustodianOrganization": ("id", "name", "telecom", "addr"),
    "manufacturerOrganization": ("id", "name", "telecom", "addr"),
    "providerOrganization": ("id", "name", "telecom", "addr"),
    "scopingOrganization": ("id", "name", "telecom", "addr"),
    "manufacturedMaterial": ("templateId", "code", "name", "lotNumberText", "expirationTime", "desc", "formCode"),
    "containerPackagedProduct": ("code", "name", "formCode", "capacityQuantity", "asContent"),
    "asContent": ("quantity", "containerPackagedProduct"),
    "ingredient": ("quantity", "ingredientSubstance"),
    "observationRange": ("code", "text", "value"),
}
"""Elements that have an order of their own."""
_AS_WRITTEN = {"name", "addr", "text", "originalText", "title"}
"""Elements whose content is in the order of the words."""


def sort_children(root: Any) -> None:
    """Bring the elements below one into the order of the model."""
    for element in list(root.iter()):
        if len(element) < 2 or local_name(element) in _AS_WRITTEN or _in_narrative(element):
            continue
        own = _OWN.get(local_name(element))
        ranks = {name: rank for rank, name in enumerate(own)} if own else _RANKS
        element[:] = sorted(element, key=lambda child: ranks.get(local_name(child), len(_RANKS)))


def _in_narrative(element: Any) -> bool:
    name = local_name(element)
    return name in (
        "table",
        "thead",
        "tbody",
        "tfoot",
        "tr",
        "td",
        "th",
        "list",
        "item",
        "paragraph",
        "content",
        "caption",
        "colgroup",
        "linkHtml",
        "footnote",
    )
