"""The demonstration, and the small lab it is built from: a sandbox, hosts in namespaces, processes that end."""
