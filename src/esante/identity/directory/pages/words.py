"""The words of pages about entries that are compared and merged (msgids)."""

from esante.core.web import N_, P_

TRAITS = {
    "identifier": N_("Other identifiers"),
    "matricule": N_("National identification number (matricule)"),
    "family": N_("Family name"),
    "given": N_("Given names"),
    "birth_date": N_("Date of birth"),
    "sex": N_("Sex"),
    "address": N_("Address"),
}
LEVELS = {
    "same": P_("comparison", "the same"),
    "similar": P_("comparison", "one character differs"),
    "contained": P_("comparison", "one contains the other"),
    "first": P_("comparison", "the same first given name"),
    "initial": P_("comparison", "the same initial"),
    "near": P_("comparison", "one digit differs, or day and month are swapped"),
    "postal_code": P_("comparison", "the same postal code"),
    "different": P_("comparison", "different"),
    "absent": P_("comparison", "not known of both"),
}
GRADES = {
    "certain": P_("comparison", "certain"),
    "probable": P_("comparison", "probable"),
    "possible": P_("comparison", "possible"),
    "certainly-not": P_("comparison", "unlikely"),
}
MERGE_STATES = {
    "proposed": P_("merge", "Waiting"),
    "merged": P_("merge", "In force"),
    "withdrawn": P_("merge", "Withdrawn"),
    "undone": P_("merge", "Undone"),
}
PAIR_STATES = {
    "open": P_("pair", "To decide"),
    "different": P_("pair", "Two people"),
}
