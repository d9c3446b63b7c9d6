"""Tell which devices torch sees, as JSON on stdout: a program of its own, which ends at once.

Imports torch: only a process of its own imports this module.
"""

from __future__ import annotations

import json

import torch


def main() -> None:
    """Print a list of devices: of each its name, its free bytes, and those that it has."""
    devices = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        devices.append({"name": f"cuda:{index}", "free": free, "total": total})
    if torch.backends.mps.is_available():
        devices.append({"name": "mps", "free": 0, "total": 0})  # its memory is the machine's
    print(json.dumps(devices))


if __name__ == "__main__":
    main()
