"""The peers' own virtual environment, in ``build/peers``.

It sees what is installed beside it (torch, uvicorn, Starlette, failsoft …), so that nothing is
installed twice, and ours and every peer run on the same versions. The benchmarks run in it.
"""

from __future__ import annotations

from bench.peers.environment import enter as enter
from bench.peers.environment import is_there as is_there
from bench.peers.environment import version_of as version_of
