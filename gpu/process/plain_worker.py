"""A worker that no template was forked for: it imports all by itself.

Run as ``python -P -m failsoft.gpu.process.plain_worker SYS_PATH``, by the reaper alone. What a
template would have preloaded isn't imported here: the engine imports what it needs.
"""

from __future__ import annotations

import json
import os
import sys

from failsoft.gpu.process.control import WIRE
from failsoft.gpu.process.worker import work


def main() -> None:
    """Be the worker until its work is over."""
    os.set_inheritable(WIRE, False)
    sys.path[:] = json.loads(sys.argv[1])
    work()


if __name__ == "__main__":
    main()
