"""The pages of the network: for owners of sites, and for operators."""
