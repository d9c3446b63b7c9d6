"""One page for all that was measured: ``python -m bench page``; ``make bench`` ends with it.

build/bench/index.html is made of the reports beside it, and needs no other file, and no network.
"""

from bench.page.command import main

__all__ = ["main"]
