"""Faults on purpose, as messages."""

from __future__ import annotations

import pytest

from failsoft.messages import InjectFault


@pytest.mark.parametrize(("fault", "steps"), [("", 0), ("\ud800", 0), ("oom", -1), ("oom", 2**70)])
def test_a_fault_that_the_wire_could_not_carry_is_refused_where_it_is_made(
    fault: str, steps: int
) -> None:
    """It is told to a model actor, which must not fail by it."""
    with pytest.raises(ValueError, match="a fault has a name"):
        InjectFault(fault, after_steps=steps)
