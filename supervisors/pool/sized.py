"""Sized: how many replicas a pool has, and of which generation: orders, autoscaling, rollouts."""

from __future__ import annotations

import functools
from typing import Any

from failsoft.actors import Reply, handles
from failsoft.actors.relay import forward
from failsoft.messages import Control, Request
from failsoft.messages.pool_events import (
    ReplicaAdded,
    ReplicaDenied,
    ReplicaRemoved,
    RolloutEnded,
)
from failsoft.supervisors.pool.autoscale import Autoscale, Scaler
from failsoft.supervisors.pool.orders import (
    PoolBusy,
    ReplicaFailed,
    Resize,
    Rollout,
    RolloutFailed,
)
from failsoft.supervisors.pool.replicated import Replicated
from failsoft.supervisors.pool.rolling import Bring, Ended, Retire, Rolling, Step
from failsoft.supervisors.routing.carried import Carried

_LOOK_EVERY = 1.0
_READY_LIMIT = 600.0


class _Look(Control, frozen=True):
    """See whether the pool is of the right size."""


class Sized(Replicated):
    """Have as many replicas as are wanted: one at a time comes, or goes."""

    def __init__(self, *arguments: Any, autoscale: Autoscale | None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._autoscale = autoscale
        self._scaler: Scaler | None = None
        self._wanted = self._recipe.replicas
        self._generation = 0
        self._ready_limit = _READY_LIMIT
        self._resize: Reply[int] | None = None
        self._rolling: Rolling | None = None
        self._rollout: tuple[Rollout, Reply[int], float] | None = None

    async def on_start(self) -> None:
        await super().on_start()
        if self._autoscale is not None:
            self._scaler = Scaler(self._autoscale, self._now())
            self.context.send_every(_LOOK_EVERY, _Look())

    # -- orders

    @handles(Resize)
    def _resize_to(self, order: Resize) -> Reply[int]:
        reply: Reply[int] = self.context.defer()
        if self._is_busy(reply):
            return reply
        if order.replicas < 1:
            reply.fail(ValueError(f"a pool needs at least one replica, not {order.replicas}"))
            return reply
        self._resize, self._ready_limit = reply, order.ready_limit
        self._wanted = order.replicas
        self._adjust()
        return reply

    @handles(Rollout)
    def _roll_out(self, order: Rollout) -> Reply[int]:
        reply: Reply[int] = self.context.defer()
        if self._is_busy(reply):
            return reply
        old = self._generation
        new = max(self._starts) + 1
        self._starts[new] = order.start or self._starts[old]
        self._rollout = order, reply, self._now()
        self._rolling = Rolling(self._live, old, new)
        self._roll(self._rolling.begin())
        return reply

    def _is_busy(self, reply: Reply[int]) -> bool:
        if self._rolling is None and self._is_steady:
            return False
        what = "rolled out" if self._rolling is not None else "resized"
        reply.fail(PoolBusy(self.context.path, what))
        return True

    # -- size

    @handles(_Look)
    def _look(self, _message: _Look) -> None:
        scaler = self._scaler
        assert scaler is not None
        replicas = self._replicas.targets.values()
        busy = sum(replica.outstanding > 0 for replica in replicas)
        change = scaler.look(len(self._live), busy, self._now())
        is_free = self._rolling is None and self._is_steady
        if change and is_free and self._replicas.ready == len(self._live):
            self._wanted, self._ready_limit = len(self._live) + change, _READY_LIMIT
            self._adjust()

    def _adjust(self) -> None:
        """Take a step to the wanted number; tell who asked for it once it is reached."""
        if not self._is_steady or self._closing is not None:
            return
        live = self._live
        if len(live) < self._wanted:
            self._bring(self._generation, self._ready_limit)
        elif len(live) > self._wanted:
            self._retire(min(reversed(live), key=self._worth))
        else:
            self._recipe.replicas = len(live)
            if self._resize is not None:
                reply, self._resize = self._resize, None
                reply.set(len(live))

    # -- rollouts

    def _roll(self, step: Step | None) -> None:
        match step:
            case Bring(generation):
                assert self._rollout is not None
                self._bring(generation, self._rollout[0].ready_limit)
            case Retire(id):
                self._retire(id)
            case Ended(why, is_mixed):
                self._end_rollout(why, is_mixed)

    def _end_rollout(self, why: str, is_mixed: bool) -> None:
        assert self._rolling is not None
        assert self._rollout is not None
        _, reply, began_at = self._rollout
        if not why:
            self._generation = self._rolling.generation
            self._recipe.start = self._starts[self._generation]
        self._rolling = self._rollout = None
        used = {self._generation, *self._generations.values()}
        self._starts = {each: start for each, start in self._starts.items() if each in used}
        size = len(self._live)
        seconds = self._now() - began_at
        self.context.publish(RolloutEnded, replicas=size, seconds=seconds, reason=why)
        if why:
            reply.fail(RolloutFailed(self.context.path, why, is_mixed))
        else:
            reply.set(size)

    def _is_up(self, id: str) -> None:
        if self._rollout is None or self._rollout[0].canary is None:
            self._let_in()
        else:
            self._try_out(id, self._rollout[0].canary, self._rollout[0].ready_limit)

    def _try_out(self, id: str, canary: Request[Any], limit: float) -> None:
        """Send the canary to a replica that gets nothing else yet."""
        cell, now = self._cells[id], self._now()
        carried = Carried.by_itself(cell, now, now + limit)
        try:
            reply = forward(cell.ref, canary, carried.reply, carried.context, None)
        except Exception as error:
            self._fail_to_come(f"it doesn't take the canary: {error}")
            return
        reply.when_closed(functools.partial(self._tried_out, id, reply))

    def _tried_out(self, id: str, reply: Reply[Any]) -> None:
        if self.context.is_over or self._coming is None or self._coming.id != id:
            return
        try:
            error = None if reply.answer.cancelled() else reply.answer.exception()
            if error is not None:
                self._fail_to_come(f"it failed its canary: {error}")
            else:
                self._let_in()
        except Exception as error:
            self.context.crash(error)

    # -- what comes and goes

    def _came(self, id: str) -> None:
        self.context.publish(ReplicaAdded, replica=id, replicas=len(self._live))
        if self._rolling is not None:
            self._roll(self._rolling.came(id))
            return
        if self._scaler is not None:
            self._scaler.changed(self._now())
        self._adjust()

    def _came_not(self, id: str, why: str) -> None:
        self.context.publish(ReplicaDenied, replica=id, reason=why)
        if self._rolling is not None:
            self._roll(self._rolling.failed(why))
            return
        self._wanted = len(self._live)
        self._recipe.replicas = max(1, self._wanted)
        if self._scaler is not None:
            self._scaler.denied(self._now())
        if self._resize is not None:
            reply, self._resize = self._resize, None
            reply.fail(ReplicaFailed(self.context.path, why))

    def _went(self, id: str) -> None:
        self.context.publish(ReplicaRemoved, replica=id, replicas=len(self._live))
        if self._rolling is not None:
            self._roll(self._rolling.went(id))
            return
        if self._scaler is not None:
            self._scaler.changed(self._now())
        self._adjust()

    def _worth(self, id: str) -> tuple[bool, int]:
        """Tell how much is lost where a replica goes: those that don't work go first."""
        replica = self._replicas.targets.get(id)
        return (False, 0) if replica is None else (replica.is_ready, replica.outstanding)
