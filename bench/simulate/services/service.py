"""A service: a router of its own, whose models are nodes that other services have as well."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from bench.simulate.ask import Ask
from bench.simulate.family import candidates_of
from bench.simulate.ledger import Ledger
from bench.simulate.routing import Routing
from bench.simulate.services.call import WIRE, Call
from bench.simulate.services.node import Node
from bench.simulate.timeline import Timeline
from failsoft.actors import RemoteSpec
from failsoft.messages import ModelOverloaded
from failsoft.supervisors.routing.policy import RoutePolicy
from failsoft.supervisors.routing.route import Attempt

_REMOTE = RemoteSpec(base_url="http://node/v1", model="m")


class Remote:
    """Stand for a remote model: so many calls under way, and a mailbox for those beyond."""

    def __init__(self, node: Node, timeline: Timeline, max_concurrent: int) -> None:
        self.node = node
        self._most = max_concurrent
        self._timeline = timeline
        self._under_way: dict[Call, None] = {}
        self._waiting: dict[Call, None] = {}

    def takes(self, call: Call) -> bool:
        """Take a call; tell whether there was room for it."""
        if len(self._under_way) < self._most:
            self._start(call)
        elif len(self._waiting) < _REMOTE.queue_limit:
            self._waiting[call] = None
        else:
            return False
        return True

    def ended(self, call: Call) -> None:
        """Have the next one follow a call that is over."""
        self._under_way.pop(call, None)
        self._waiting.pop(call, None)
        while self._waiting and len(self._under_way) < self._most:
            following = next(iter(self._waiting))
            del self._waiting[following]
            self._start(following)

    def _start(self, call: Call) -> None:
        self._under_way[call] = None
        self._timeline.after(WIRE, self.node.take, call)


class Service(Routing):
    """Serve clients with nodes, by a policy of its own, and without a word to other services.

    max_concurrent: of each remote model; None: the default.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        timeline: Timeline,
        policy: RoutePolicy,
        max_concurrent: int | None,
        ledger: Ledger,
        chance: Random,
    ) -> None:
        most = max_concurrent or _REMOTE.max_concurrent
        candidates = candidates_of(len(nodes), at_once=most)
        super().__init__(timeline, candidates, policy, chance)
        self.ledger = ledger
        self._remotes = {
            spec.id: Remote(node, timeline, most)
            for spec, node in zip(candidates, nodes, strict=True)
        }

    def begin(self) -> None:
        """Find all nodes to be there."""
        for target in self._targets.values():
            self._carry_out(self.dispatcher.starting(target, self.timeline.now))
            self._carry_out(self.dispatcher.readiness(target, True, self.timeline.now))

    def ask(self, ask: Ask) -> None:
        """Have a client ask."""
        self.ledger.came(ask)
        self.arrive(ask)

    def _over(self, ask: Ask, outcome: str, error: Exception | None) -> None:
        self.ledger.over(ask, outcome, self.timeline.now)

    def _send(self, attempt: Attempt) -> None:
        ask: Ask = attempt.route.carried
        self.ledger.sent(ask, self.timeline.now)
        ask.sends += 1
        attempt.carried = call = Call(self, attempt)
        if not self._remotes[attempt.target.id].takes(call):
            call.error = ModelOverloaded("The model's mailbox is full.", timestamp=0.0)
            self.timeline.after(0.0, call.ends, None)

    def _call_off(self, attempt: Attempt) -> None:
        call: Call = attempt.carried
        call.is_off = True
        remote = self._remotes[attempt.target.id]
        remote.ended(call)
        self.timeline.after(WIRE, remote.node.drop, call)

    def has_begun(self, call: Call) -> None:
        self._began(call.attempt)

    def has_ended(self, call: Call) -> None:
        self._remotes[call.attempt.target.id].ended(call)
        if call.error is None:
            self._finished(call.attempt, call.reply)
        else:
            self._failed(call.attempt, call.error)

    @property
    def limit(self) -> int:
        """Give how many requests it would have the nodes work on at once."""
        return sum(target.line.limit for target in self._targets.values())
