"""Sites of the network: request, approval, enrolment, changes, end."""
