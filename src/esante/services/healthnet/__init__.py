"""The control plane of the national health network: who is connected, with which key, to reach what, how well."""
