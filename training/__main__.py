"""Make the package's models: ``python -m training [evaluate] [NAME …]``; without a name, all.

Each is trained from nothing into ``gpu/tiny/NAME``; ``evaluate`` measures the one that lies there.
"""

from __future__ import annotations

import importlib
import sys

MODELS = ("text", "image")


def main(arguments: list[str]) -> int:
    """Train or evaluate models; give the exit status: 2 where a name isn't known."""
    evaluates = arguments[:1] == ["evaluate"]
    names = arguments[evaluates:]
    for name in names:
        if name not in MODELS:
            print(f"no model {name!r}; there is: {', '.join(MODELS)}", file=sys.stderr)
            return 2
    work = "evaluate" if evaluates else "train"
    for name in names or MODELS:
        importlib.import_module(f"training.{name}.{work}").main()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
