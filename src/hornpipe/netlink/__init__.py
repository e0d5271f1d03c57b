"""Packed rtnetlink, sans-IO: bytes in, values out, and the other way round. Native byte order, as the kernel's."""
