"""The secure processing environment: jobs over the extraction of a permit, each in a process that is shut in."""
