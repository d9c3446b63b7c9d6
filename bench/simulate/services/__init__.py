"""Several services over one pool: each has a router of its own, and the workers are everybody's.

A service knows nothing of the others. What it sees of them is that answers take longer, and that
servers refuse.
"""
