// A sample: the OID is that of the MyHealth@EU value set, the codes are HL7's.
ValueSet: SampleAdministrativeGender
Id: sample-administrative-gender
Title: "Administrative gender (sample)"
* ^url = "https://esante.lu/fhir/ValueSet/sample-administrative-gender"
* ^version = "0.1.0"
* ^experimental = true
* ^identifier.system = "urn:ietf:rfc:3986"
* ^identifier.value = "urn:oid:1.3.6.1.4.1.12559.11.10.1.3.1.42.34"

* http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender#F "Female"
* http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender#M "Male"
* http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender#UN "Undifferentiated"
