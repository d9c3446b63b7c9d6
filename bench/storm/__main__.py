"""Run it: ``python -m bench.storm``."""

from bench.storm.command import main

if __name__ == "__main__":
    raise SystemExit(main())
