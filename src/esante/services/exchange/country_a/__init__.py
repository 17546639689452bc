"""Country A of the contact point: what this country answers to the contact points of others.

Each message passes the same steps: whose connection it is, SOAP, assertions (verified, of that country), counters, the
receiver, the national connector (which decides by the patient's consent), the audit; only then it is answered.
"""
