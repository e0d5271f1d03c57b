"""Virtual time, wires and kernels around the pure core: a fleet of hosts in one process."""
