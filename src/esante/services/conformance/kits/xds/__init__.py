"""The kit of document registries and repositories: IHE XDS.b over SOAP, with tokens or assertions about users."""
