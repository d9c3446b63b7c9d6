"""Run the simulator: ``python -m bench.simulate``."""

from bench.simulate.command import main

if __name__ == "__main__":
    main()
