"""Drivers that make the kernel hold what `hornpipe.forwarding` says, and the pump that feeds them."""
