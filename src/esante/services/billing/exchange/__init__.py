"""The SOAP exchange with doctors' software: signed messages, tokens, PID and RA as national XML."""
