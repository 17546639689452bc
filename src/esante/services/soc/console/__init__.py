"""The console: what operators and contacts see of members, events and alerts at a glance."""
