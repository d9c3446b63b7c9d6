"""What failsoft takes before it has done anything: memory by part, imports, the first token.

Nothing is held against a peer here. ``imports`` times imports in processes of their own.
``cold_start`` starts ``failsoft serve``, times the first token that a client has of it, and then
looks at the memory of its processes (``memory``).
"""

from bench.cost.command import main

__all__ = ["main"]
