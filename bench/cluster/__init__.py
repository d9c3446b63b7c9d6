"""What it costs to have a model on another machine, and to go on with a stream on another one."""

from __future__ import annotations

from bench.cluster.command import main as main
