"""Path attributes: one file a kind, one row each in `table`; `block` reads and makes whole blocks."""
