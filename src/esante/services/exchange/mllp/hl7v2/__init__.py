"""The notation of HL7 V2: messages, times and acknowledgements, without what they mean here."""
