"""What a server is started with."""

from __future__ import annotations

import argparse

import msgspec

from bench.servers.model import MODELS


class Asked(msgspec.Struct, frozen=True):
    port: int
    model: str
    workers: int


def asked() -> Asked:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", choices=MODELS, required=True)
    parser.add_argument("--workers", type=int, default=1)
    return Asked(**vars(parser.parse_args()))
