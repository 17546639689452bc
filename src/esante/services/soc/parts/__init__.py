"""The parts of the declaration: what each adds to the platform."""
