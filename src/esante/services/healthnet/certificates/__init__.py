"""Keys and certificates of the network: the authority, certificates of sites, revocation, identity."""
