"""Have the scenes played: those that take time in turns, those that only tell yes or no at once."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from bench.supervise.hosted import Hosted, Orphans, hosted
from bench.supervise.scenes import Seen

TIMED = ("killed_idle", "killed_midway")
ORPHAN_SECONDS = 2.0
BROKEN_SECONDS = 10.0
_SEED = 7

# By scene, and by peer.
Found = dict[str, dict[str, list[Seen]]]


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """Tell how much is done.

    rounds: of the scenes that take time. kills: under load. is_whole: without it, what takes
    long is left out: the wedged model, the broken one, the language model.
    """

    rounds: int = 3
    kills: int = 5
    is_whole: bool = True


QUICK = Size(rounds=1, kills=1, is_whole=False)


def steady(
    names: Sequence[str], size: Size, failed: dict[str, str]
) -> tuple[Found, dict[str, Orphans]]:
    """Play all that a model can be had for that takes a second to load."""
    found: Found = {}
    with hosted(names, "steady", failed) as hosts:
        for turn in range(size.rounds):
            for scene in TIMED:
                _in_turns(found, hosts, turn, scene)
        _together(found, hosts, "no_memory")
        _together(found, hosts, "stopped")
        if size.is_whole:
            _together(found, hosts, "wedged")
        # After the others: so many in a row have ours wait longer before the next restart, too.
        _together(found, hosts, "killed_under_load", kills=size.kills, seed=_SEED)
        return found, orphans(hosts)


def language(names: Sequence[str], size: Size, failed: dict[str, str]) -> Found:
    """Play what depends on what a process has to import and to load."""
    found: Found = {}
    with hosted(names, "smollm2", failed) as hosts:
        for turn in range(size.rounds):
            _in_turns(found, hosts, turn, "killed_idle")
        _together(found, hosts, "broken", seconds=BROKEN_SECONDS)
    return found


def _in_turns(found: Found, hosts: Sequence[Hosted], turn: int, scene: str) -> None:
    """Play a scene with one after the other, and each time with another one first."""
    first = turn % len(hosts)
    for host in (*hosts[first:], *hosts[:first]):
        found.setdefault(scene, {}).setdefault(host.name, []).append(host.play(scene))


def _together(found: Found, hosts: Sequence[Hosted], scene: str, **arguments: int | float) -> None:
    """Play a scene with all at once."""
    for host in hosts:
        host.begin(scene, **arguments)
    found[scene] = {host.name: [host.seen()] for host in hosts}


def orphans(hosts: Sequence[Hosted]) -> dict[str, Orphans]:
    """Take each worker's parent away in the middle of a request of five seconds."""
    found = {}
    for host in hosts:
        host.begin("long")
        time.sleep(0.5)
        found[host.name] = host.orphans(ORPHAN_SECONDS)
    return found
