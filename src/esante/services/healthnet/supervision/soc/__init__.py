"""What the network and the SOC tell each other: flows and anomalies as events, requests for quarantine."""
