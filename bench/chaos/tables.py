"""What came of it, as tables and figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.chaos.ledger import IN_A_ROW, PROMPT, Count, Kind
from bench.chaos.phase import Phase
from bench.chaos.trial import GONE_WITHIN, Endured, Trial
from bench.figures import Figure, against
from bench.report import Table
from bench.servers.known import SERVERS

OURS = "failsoft"
_ENDS = ("answered", "refused", "failed late", "lost", "hung", "wrong, twice")
_NOTE = (
    f"Refused: a status and a word within {PROMPT:g} s. Failed late: later than that, or without a "
    "word. Lost: the connection was closed, or none was to be had. Hung: nothing for 10 s. "
    f"All is well with the first of {IN_A_ROW} answers in a row that took {PROMPT:g} s at most. "
    "Loads: how often the model was loaded again."
)


def tables(trials: Sequence[Trial]) -> Iterator[Table]:
    """Give one of all that was asked, and one for each phase."""
    yield _sums(trials)
    for number, endured in enumerate(trials[0].phases):
        yield _of_phase(endured.phase, {each.server: each.phases[number] for each in trials})


def figures(trials: Sequence[Trial]) -> Iterator[Figure]:
    """Give ours, the first, and each peer's: what was answered, and when all was well."""
    ours, *peers = trials
    if ours.server != OURS:
        return
    for peer in peers:
        title = SERVERS[peer.server].title
        pairs = [(100 * total(ours).answered_share, 100 * total(peer).answered_share)]
        yield against("answered, of all faults together", "%", pairs, peer=title)
        shares = list(zip(_shares(ours, "overload"), _shares(peer, "overload"), strict=True))
        if all(theirs > 0 for _, theirs in shares):
            yield against("answered under overload", "%", shares, peer=title)
        for name, of in (("SIGKILL", "kill"), ("a hang", "hang"), ("poison", "poison")):
            times = list(zip(_times(ours, of), _times(peer, of), strict=True))
            if times:
                said = f"{name} until all is well"
                yield against(said, "s", times, peer=title, less_is_better=True)


def total(trial: Trial) -> Count:
    """Count the ends of all phases together."""
    return Count.of([end for each in trial.phases for end in each.ends])


def _shares(trial: Trial, name: str) -> list[float]:
    return [100 * each.count.answered_share for each in trial.phases if each.phase.name == name]


def _times(trial: Trial, name: str) -> list[float]:
    """Give the times of the phases of this name; one that never ended counts as it was long."""
    return [
        each.phase.after if each.recovered is None else each.recovered
        for each in trial.phases
        if each.phase.name.startswith(name)
    ]


def _of_phase(phase: Phase, endured: dict[str, Endured]) -> Table:
    rows = []
    for server, each in endured.items():
        count = each.count
        guilty = ", ".join(f"{number} {kind.value}" for kind, number in count.guilty.items())
        row: tuple[str, ...] = (
            *(SERVERS[server].title, str(count.asked), *_ends(count)),
            "-" if count.slowest is None else f"{count.slowest:.2f} s",
            f"not in {phase.after:g} s" if each.recovered is None else f"{each.recovered:.1f} s",
            str(each.loads),
        )
        rows.append((*row, guilty) if phase.guilty else row)
    columns: tuple[str, ...] = (
        "server",
        "asked",
        *_ENDS,
        "p99 of answers",
        "all is well after",
        "loads",
    )
    if phase.guilty:
        columns = (*columns, "the harmful prompts")
    return Table(title=phase.title, columns=columns, rows=tuple(rows))


def _sums(trials: Sequence[Trial]) -> Table:
    rows = []
    for trial in trials:
        count = total(trial)
        hands = [each.phase.name for each in trial.phases if each.recovered is None]
        rows.append(
            (
                *(SERVERS[trial.server].title, str(count.asked), *_ends(count)),
                f"{len(hands)}: {', '.join(hands)}" if hands else "0",
                f"{trial.idle_before:.1%}, {trial.idle_after:.1%}",
                f"{len(trial.orphans)}: {', '.join(sorted(set(trial.orphans)))}"
                if trial.orphans
                else "0",
            )
        )
    last = ("needed a hand", "idle: CPU before, after", f"left {GONE_WITHIN:g} s after SIGKILL")
    return Table(
        title="All faults together, and SIGKILL of the server's first process",
        columns=("server", "asked", *_ENDS, *last),
        rows=tuple(rows),
        note=_NOTE,
    )


def _ends(count: Count) -> tuple[str, ...]:
    shown = (Kind.ANSWERED, Kind.REFUSED, Kind.FAILED, Kind.LOST, Kind.HUNG)
    return *(str(count[kind]) for kind in shown), str(count[Kind.WRONG] + count[Kind.TWICE])
