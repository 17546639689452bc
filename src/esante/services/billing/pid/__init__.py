"""Immediate direct payment (PID): eligibility, simulation, validation, contestation, correction."""
