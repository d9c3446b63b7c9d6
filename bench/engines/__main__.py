"""Measure engines: ``python -m bench.engines``."""

from bench.engines import main

if __name__ == "__main__":
    main()
