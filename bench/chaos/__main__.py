"""Run it: ``python -m bench.chaos``."""

from bench.chaos.command import main

if __name__ == "__main__":
    raise SystemExit(main())
