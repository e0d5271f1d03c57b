"""Address management: ranges as host-local has them, and pools whose blocks hosts claim in a shared store."""
