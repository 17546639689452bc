"""Systems of hospitals as they are today: XDS.b, PIX and PDQ over SOAP, with tokens or assertions about users."""
