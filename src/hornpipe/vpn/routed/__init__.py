"""Routed instances: an IP-VRF with its ports, the routes it originates and imports, and the way out for each prefix."""
