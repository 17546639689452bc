"""The client to the health insurance (CNS): who is insured, and the messages of accelerated reimbursement."""
