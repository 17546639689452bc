"""What operators see of image sharing, without any image: what comes in, and what is in quarantine."""
