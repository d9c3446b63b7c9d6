"""Guard against what is made slow by mistake: ``python -m bench guard``, a part of ``make check``.

A few ratios to peers in the same process are held against those of ``ratios.json``, with bounds so
wide that only a change of the code passes them, whatever else the machine does. Where that change
is meant, ``--write`` renews the file; do it on a quiet machine.
"""

from bench.guard.command import main

__all__ = ["main"]
