"""What a worker's description accepts."""

from __future__ import annotations

from typing import Any

import pytest

from failsoft.gpu import WorkerSpec


def spec(**fields: Any) -> WorkerSpec:
    return WorkerSpec(**{"engine": "some.module:Engine", **fields})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"engine": "some.module"}, "engine must be 'module:Class'"),
        ({"engine": ":Engine"}, "engine must be"),
        ({"engine": "a:b c"}, "engine must be"),
        ({"preload": ("torch", "../torch")}, "'../torch' is no module's name"),
        ({"threads": 0}, "threads must be at least 1; it is 0"),
        ({"run_in": "fiber"}, "run_in must be 'process' or 'thread'; it is 'fiber'"),
        ({"run_in": "thread", "threads": 1}, "threads can't be set with run_in='thread'"),
        ({"most_abandoned": 0}, "most_abandoned must be at least 1; it is 0"),
        ({"heartbeat_every": 0}, "heartbeat_every must be over 0 s"),
        ({"heartbeat_limit": -1.0}, "heartbeat_limit must be over 0 s"),
        ({"hang_limit": float("nan")}, "hang_limit must be over 0 s"),
        ({"first_step_limit": 0}, "first_step_limit must be over 0 s; it is 0"),
        ({"hang_limit": 0.9}, "hang_limit .0.9 s. must be at least twice heartbeat_every"),
        ({"load_hang_limit": 0}, "load_hang_limit must be over 0 s"),
        ({"stop_grace": -0.1}, "stop_grace must be at least 0 s"),
        ({"term_grace": -0.1}, "term_grace must be at least 0 s"),
        ({"heartbeat_every": 3.0}, "must be at least twice heartbeat_every"),
        ({"options": {"callback": print}}, "options must be plain data"),
        ({"options": {"number": 1 << 80}}, "options must be plain data"),
        ({"options": {"text": "x" * 2_000_000}}, "options must have 1048576 bytes at most"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], words: str) -> None:
    """The error names the field and says what it may be."""
    with pytest.raises(ValueError, match=words):
        spec(**fields)


def test_the_defaults_are_those_of_the_design() -> None:
    """Each can be changed by name."""
    made = spec()
    assert (made.heartbeat_every, made.heartbeat_limit) == (0.5, 5.0)
    assert (made.hang_limit, made.first_step_limit) == (None, None)
    assert (made.load_hang_limit, made.stop_grace) == (120.0, 5.0)
    assert not made.fault_hooks
    assert spec(engine="a.b:C.D", stop_grace=0, threads=1).threads == 1
