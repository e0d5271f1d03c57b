"""Immutable values that are their packed bytes (or their number): one type a file."""
