"""What the kernel should hold: the narrow waist between the VPN logic and the dataplane drivers."""
