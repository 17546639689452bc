"""The policy of the network: read from a file, proved, compiled to edges; pure."""
