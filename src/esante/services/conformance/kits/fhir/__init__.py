"""The kit of any server of clinical data: HL7 FHIR R4, its REST interface."""
