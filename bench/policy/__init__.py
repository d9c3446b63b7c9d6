"""What a breaker and retries cost a call, against the libraries that people wrap calls with.

``call`` is what is called: it does nothing, or fails each other time. ``ours`` is the policies of
a router, by themselves: in failsoft they aren't wrapped round a function. ``wrapped`` is the same
function with tenacity, stamina and pybreaker round it, as their docs have it.
"""

from bench.policy.command import main

__all__ = ["main"]
