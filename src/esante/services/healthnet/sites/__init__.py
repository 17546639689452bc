"""Sites of the network: request, approval, changes, end."""
