"""Measure telemetry: ``python -m bench.telemetry``."""

from bench.telemetry import main

if __name__ == "__main__":
    main()
