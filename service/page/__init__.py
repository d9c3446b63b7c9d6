"""The live page: what an operator sees of a running tree, and the files that a browser shows."""
