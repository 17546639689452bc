"""What agents talk to: enrolment, bundles by long poll, heartbeats, staged roll-outs, rotation, revocation."""
