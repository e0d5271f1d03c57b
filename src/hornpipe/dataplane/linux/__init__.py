"""The Linux kernel as dataplane: bridges, VXLAN devices, FDB and neighbours by rtnetlink."""
