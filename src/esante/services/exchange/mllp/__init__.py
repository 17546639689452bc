"""Messages of HL7 V2 over MLLP, from the systems of hospitals: admissions and results."""
