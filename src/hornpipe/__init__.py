"""hornpipe: BGP VPNs to the host."""

__version__ = "0.1.0"
