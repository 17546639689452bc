"""The compiled policy as nftables rules of a site."""
