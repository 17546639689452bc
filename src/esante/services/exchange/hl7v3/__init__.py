"""Queries for patients in HL7 version 3, as XCPD (ITI-55) and PDQv3 (ITI-47) use them."""
