"""Containers by CNI: the server side of the plugin `hornpipe`, and its executable's source."""
