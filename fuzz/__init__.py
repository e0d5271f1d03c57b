"""Mutated messages at every decoder; see `fuzz.run`."""
