"""Cases: what the SOC does about alerts, from the queue to the closing by two people."""
