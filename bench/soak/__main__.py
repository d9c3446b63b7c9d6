"""Run it: ``python -m bench.soak``."""

from bench.soak.command import main

if __name__ == "__main__":
    raise SystemExit(main())
