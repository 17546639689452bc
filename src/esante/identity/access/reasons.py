"""Verdicts in plain words: their reasons, and the contexts of interventions outside a context of care."""

from esante.core.web import N_

HOLDER, AUTHOR, DEPOSIT, OPERATION, REPRESENTATION = "holder", "author", "deposit", "operation", "representation"
CONTEXTS = {
    HOLDER: N_("The person themselves."),
    REPRESENTATION: N_("They act for the person of the record."),
    AUTHOR: N_("They wrote this themselves, or it comes from their organisation."),
    DEPOSIT: N_("They added what they had done for you, without access to your record."),
    OPERATION: N_("This was done by %(agency)s to run the service."),
}
"""The contexts of interventions outside a context of care of the policy set, in plain words to the person (msgids)."""

REASONS = {
    "own": N_("This is your own record."),
    "dead": N_("The person has died."),
    "other-person": N_("Patients can only see their own record."),
    "represented": N_("Somebody acts for this person, until a professional lets them act alone."),
    "capable": N_("A trusted person has access only while the patient cannot act."),
    "representative-reads": N_("A trusted person can only read the record."),
    "personal": N_("Only the person themselves can state this."),
    "opposed-representatives": N_("You do not want your representatives to be told of this."),
    "parent": N_("This is one of your parents."),
    "guardian": N_("This is your guardian."),
    "trusted_person": N_("This is your trusted person, and you cannot act at the moment."),
    "opposed": N_("You do not want documents of this care to be added."),
    "other-launch": N_("The app was opened for another patient."),
    "not-opened": N_("The record is not open yet."),
    "closed": N_("The record is closed."),
    "objected": N_("You objected to having a record."),
    "deleted": N_("What the record contained was deleted."),
    "own-category": N_("Only professionals can add documents of this type."),
    "not-treating": N_("Only health professionals who treat you can see your record."),
    "purpose": N_("Health data can only be used for treatment."),
    "write-emergency": N_("Emergency access only lets you read the record."),
    "provides": N_("This profession can add documents of this type to a record."),
    "not-provides": N_("This profession cannot add documents of this type to a record."),
    "author": N_("This person is the author of the document."),
    "author-organization": N_("The document comes from the same organisation."),
    "blocked": N_("You blocked this professional or organisation."),
    "hidden": N_("You hid this document."),
    "opted-out": N_("You turned off sharing."),
    "profession": N_("This profession cannot see documents of this type."),
    "circle": N_("You added this professional to your circle of care."),
    "presence_code": N_("You gave a presence code."),
    "institution_stay": N_("This organisation is treating you or has treated you."),
    "emergency": N_("Emergency access was used."),
    "country": N_("You let health professionals of this country read your record."),
    "stay-refused": N_("You ended the access of this organisation, and have not allowed it again."),
    "stay-unproved": N_("It is not confirmed yet that you are a patient of this organisation."),
    "context-ended": N_("The access has reached the longest duration that is allowed."),
    "context-off": N_("This kind of access is not offered."),
    "delegate": N_("Administrative staff can add documents and see lists, but not open a document."),
    "suspended": N_("This professional or organisation may not use the platform any more."),
    "restricted": N_("You restricted this document to its author and your circle of care."),
    "no-grant": N_("You have not given access."),
    "person-differs": N_("The document may be about someone else."),
    "secondary-use": N_("Two operators agreed on a copy without your name, for a use that a permit allows."),
    "compiled": N_("The platform compiled this from what the record contains."),
    "refused": N_("Access was refused."),
}
"""The reasons of verdicts by their keys, in plain words to the person (msgids)."""
