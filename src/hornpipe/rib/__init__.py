"""Paths between bytes and meaning: Adj-RIB-In, Loc-RIB, best path, import index, Adj-RIB-Out, reflection."""
