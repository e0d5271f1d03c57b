"""BGP-4 without I/O: bytes in, values out, and back. Errors carry the reaction RFC 7606 names."""
