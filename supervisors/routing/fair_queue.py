"""The queue in front of a model: by aged priority, and within a priority in turns of tenants.

Each priority has its own queue, in which the tenants that wait take turns, as in round robin: one
that asks for a lot waits behind itself and not before others. Which priority is next is told by
the request in it that has waited longest, whose priority has grown with every ``ageing`` seconds.
All age alike, so that what is compared, ``since - priority * ageing``, never changes while a
request waits. That one ages a priority and not a request is what keeps the turns fair: by age
alone, a tenant's backlog would go before all that came later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar


class Ticket(Protocol):
    """Be what waits: a request, known by its identity.

    priority: the higher goes first. tenant: whom it is for; "" is nobody in particular, and
    counts as one tenant. deadline: until when it must be answered, in seconds of the clock that
    ``now`` is read from; infinite for none.
    """

    @property
    def priority(self) -> int: ...
    @property
    def tenant(self) -> str: ...
    @property
    def deadline(self) -> float: ...


T = TypeVar("T", bound=Ticket)


class _Place(Generic[T]):
    """Keep what decides a ticket's turn, as it was when the ticket came."""

    __slots__ = ("priority", "since", "tenant", "ticket")

    def __init__(self, ticket: T, since: float) -> None:
        self.ticket = ticket
        self.since = since
        self.priority = ticket.priority
        self.tenant = ticket.tenant


_Backlog = dict[int, _Place[T]]  # by id(ticket), in order of arrival


def _oldest(backlog: _Backlog[T]) -> _Place[T]:
    return next(iter(backlog.values()))


def _newest(backlog: _Backlog[T]) -> _Place[T]:
    return next(reversed(backlog.values()))


def _count_before(since: float, turns: Mapping[str, _Backlog[T]]) -> int:
    count = 0
    for backlog in turns.values():
        for place in backlog.values():
            if place.since >= since:
                break
            count += 1
    return count


def _count_in_turns(turns: Mapping[str, _Backlog[T]], tenant: str) -> int:
    """Count the tickets of one rank that go before the next one of this tenant."""
    own = turns.get(tenant)
    count = 0 if own is None else len(own)
    most = count + 1
    for backlog in turns.values():
        if backlog is not own:
            waiting = len(backlog)
            count += waiting if waiting < most else most
    return count


class FairQueue(Generic[T]):
    """Hold the tickets that wait, in the order that the module describes. Bounded by its owner.

    ageing: seconds of waiting that lift a ticket by one priority.
    places: empty where none waits, which costs less to look at than ``len``.
    """

    __slots__ = ("_ageing", "_held", "_ranks", "places")

    def __init__(self, ageing: float) -> None:
        self._ageing = ageing
        self.places: dict[int, _Place[T]] = {}
        # Priority → tenant → its tickets; the tenant whose turn it is stands first.
        self._ranks: dict[int, OrderedDict[str, _Backlog[T]]] = {}
        self._held: dict[str, int] = {}  # how many tickets each tenant has in all

    def __len__(self) -> int:
        return len(self.places)

    def __contains__(self, ticket: object) -> bool:
        return id(ticket) in self.places

    def add(self, ticket: T, now: float) -> None:
        """Put a ticket in. Raises ValueError where it waits already."""
        if id(ticket) in self.places:
            raise ValueError(f"{ticket!r} waits already; a ticket has one place in the queue")
        place = self.places[id(ticket)] = _Place(ticket, now)
        turns = self._ranks.setdefault(place.priority, OrderedDict())
        turns.setdefault(place.tenant, {})[id(ticket)] = place
        self._held[place.tenant] = self._held.get(place.tenant, 0) + 1

    def pop(self) -> T | None:
        """Take the next ticket out; None where none waits."""
        if not self.places:
            return None
        turns = self._ranks[self._next_rank()]
        tenant, backlog = next(iter(turns.items()))
        turns.move_to_end(tenant)
        place = _oldest(backlog)
        self._take(place)
        return place.ticket

    def remove(self, ticket: T) -> bool:
        """Take this ticket out; tell whether it was in."""
        place = self.places.get(id(ticket))
        if place is None:
            return False
        self._take(place)
        return True

    def ahead_of(self, priority: int, tenant: str, now: float) -> int:
        """Count the tickets that would go before one that came now."""
        ahead = 0
        for rank, turns in self._ranks.items():
            if rank > priority:
                ahead += sum(map(len, turns.values()))
            elif rank < priority:
                ahead += _count_before(now - (priority - rank) * self._ageing, turns)
            else:
                ahead += _count_in_turns(turns, tenant)
        return ahead

    def to_shed_for(self, ticket: Ticket, places: int, now: float) -> T | None:
        """Give the ticket that should leave a full queue of ``places`` for this one, if any.

        It is the newest of the lowest priority of the tenant with most in the queue, and leaves
        for a higher priority than it has by now; or, of a tenant with more than a fair share of
        the places, for one with less whose priority isn't lower. So equals never push out equals.
        """
        if not self.places:
            return None
        lowest = min(self._ranks)
        biggest = max(self._ranks[lowest], key=self._held.__getitem__)
        place = _newest(self._ranks[lowest][biggest])
        if lowest + (now - place.since) / self._ageing < ticket.priority:
            return place.ticket
        held = self._held.get(ticket.tenant, 0)
        share = places / (len(self._held) + (not held))
        biggest = max(self._held, key=self._held.__getitem__)
        if held + 1 <= share < self._held[biggest]:
            place = self._least_of(biggest)
            if place.priority <= ticket.priority:
                return place.ticket
        return None

    def _next_rank(self) -> int:
        ranks = self._ranks
        if len(ranks) == 1:
            return next(iter(ranks))

        def aged(rank: int) -> tuple[float, int]:
            oldest = min(_oldest(backlog).since for backlog in ranks[rank].values())
            return oldest - rank * self._ageing, -rank

        return min(ranks, key=aged)

    def _least_of(self, tenant: str) -> _Place[T]:
        rank = min(rank for rank, turns in self._ranks.items() if tenant in turns)
        return _newest(self._ranks[rank][tenant])

    def _take(self, place: _Place[T]) -> None:
        key, tenant = id(place.ticket), place.tenant
        del self.places[key]
        turns = self._ranks[place.priority]
        del turns[tenant][key]
        if not turns[tenant]:
            del turns[tenant]
            if not turns:
                del self._ranks[place.priority]
        self._held[tenant] -= 1
        if not self._held[tenant]:
            del self._held[tenant]

    def __repr__(self) -> str:
        return f"<FairQueue {len(self)} of {len(self._held)} tenants>"
