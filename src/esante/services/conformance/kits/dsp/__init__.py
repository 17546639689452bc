"""The kit of the shared care record: documents by IHE MHD, persons by PDQm, sign-in by SMART."""
