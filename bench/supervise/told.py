"""What was found, as figures and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.figures import Figure, against
from bench.report import Table
from bench.supervise.hosted import Orphans
from bench.supervise.rounds import BROKEN_SECONDS, ORPHAN_SECONDS, Found
from bench.supervise.scenes import CALLERS, LOAD_PATIENCE, PATIENCE, Seen

OURS = "failsoft"
_UNPLAYED = "not played"
_NOT = f"not in {PATIENCE:g} s"
TITLES = {
    "killed_idle": "killed idle, to the next answer",
    "killed_midway": "killed in mid-request, to its answer",
}


def times_of(seen: Sequence[Seen]) -> list[float]:
    """Give the seconds of each; of one that didn't come back, those that it was waited for."""
    return [LOAD_PATIENCE if each.seconds is None else each.seconds for each in seen]


def figures_of(found: Found, note: str = "") -> list[Figure]:
    """Hold each way of ours against each of the others."""
    return [
        against(
            f"{ours}: {title}{note}",
            "s",
            list(zip(times_of(by_peer[ours]), times_of(by_peer[peer]), strict=True)),
            peer=peer,
            less_is_better=True,
        )
        for scene, title in TITLES.items()
        if (by_peer := found.get(scene)) is not None
        for ours in by_peer
        if ours.startswith(OURS)
        for peer in by_peer
        if not peer.startswith(OURS)
    ]


def blows(found: Found) -> Table:
    """Tell what callers saw of each blow."""
    load, memory, stopped = found["killed_under_load"], found["no_memory"], found["stopped"]
    wedged = found.get("wedged", {})
    return Table(
        title="What callers saw",
        columns=(
            "",
            f"killed under {CALLERS} callers: lost of asked",
            "SIGSTOP: answers after",
            "wedged: answers after",
            "out of memory: told",
            "then answers after",
        ),
        rows=tuple(
            (
                peer,
                _lost(load[peer][0]),
                _after(stopped[peer]),
                _after(wedged.get(peer)),
                memory[peer][0].errors[0],
                _after(memory[peer]),
            )
            for peer in load
        ),
        note="Lost: the caller got an error, or nothing in 10 s. SIGSTOP: the worker stops, as it "
        "would in a driver that hangs. Wedged: the model turns in a circle for ever, once.",
    )


def ends(orphans: Mapping[str, Orphans], found: Found) -> Table:
    """Tell what is left where the parent dies, and what comes of a model that can't be loaded."""
    broken = found.get("broken", {})
    return Table(
        title="What stays",
        columns=(
            "",
            f"left {ORPHAN_SECONDS:g} s after the parent's SIGKILL",
            f"no start goes well: starts in {BROKEN_SECONDS:g} s",
            "a caller is told meanwhile",
            "mended: answers after",
        ),
        rows=tuple(
            (peer, _left(counted), *_loop(broken[peer][0] if peer in broken else None))
            for peer, counted in orphans.items()
        ),
        note="The parent is killed while the worker is at a request of five seconds.",
    )


def _lost(seen: Seen) -> str:
    told = f" ({', '.join(sorted(set(seen.errors)))})" if seen.errors else ""
    return f"{len(seen.errors)} of {seen.asked}{told}"


def _after(seen: Sequence[Seen] | None) -> str:
    if seen is None:
        return _UNPLAYED
    return _NOT if seen[0].seconds is None else f"{seen[0].seconds:.2f} s"


def _left(orphans: Orphans) -> str:
    said = f"{orphans.left} of {orphans.were}"
    return f"{said}, the worker too" if orphans.has_worker else said


def _loop(seen: Seen | None) -> tuple[str, str, str]:
    if seen is None:
        return (_UNPLAYED, _UNPLAYED, _UNPLAYED)
    return (str(seen.starts), seen.errors[0] or "an answer", _after([seen]))
