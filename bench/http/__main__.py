"""Measure the way over HTTP: ``python -m bench.http``."""

from bench.http import main

if __name__ == "__main__":
    main()
