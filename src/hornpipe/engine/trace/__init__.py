"""Why does A reach B, or not: the way of a packet, step by step, with the kernel asked at that moment."""
