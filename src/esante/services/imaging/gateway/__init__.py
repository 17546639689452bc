"""The DIMSE gateway: a process that takes C-STORE from devices and forwards what comes to STOW-RS."""
