"""Reviews of emergency accesses and of admissions without proof of presence: the queue, alarms, questions."""
