"""The metrics there are: their names, labels and buckets.

Names follow OpenTelemetry's semantic conventions for generative AI and HTTP where there are any,
with dots as underscores and the unit at the end, as its rules for Prometheus say; ours start with
``failsoft_``. Times are in seconds. Labels come from the tree and from fixed sets, never from a
caller's text, and are bounded besides.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Set
from importlib import metadata
from typing import Final

from prometheus_client import CollectorRegistry, Info

from failsoft.telemetry.families import MOST_SERIES, Families
from failsoft.telemetry.label_bound import MOST_VALUES, LabelBound

# From a cached embedding to a long answer on a slow device: 1 ms to 10 min.
SECONDS_BUCKETS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0),
)
# The convention's, and one finer: small models on good devices make a token in a few ms.
TOKEN_SECONDS_BUCKETS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2),
    *(0.3, 0.4, 0.5, 0.75, 1.0, 2.5),
)
# From what is usual to what a caller sees.
LAG_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
# The convention's, up to what any context holds.
TOKEN_BUCKETS: Final = tuple(float(4**power) for power in range(11))

_ASKED = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
_ANSWERED = (*_ASKED, "gen_ai_response_model")


class Metrics:
    """Hold the metrics, in a registry of their own. Made once; actors come and go.

    most_values: of each label, over all metrics of requests, over all of actors and workers, and
        over mailboxes; the rest is ``other``.
    most_series: of each metric; the rest is one series more, of ``other`` alone.
    """

    def __init__(self, *, most_values: int = MOST_VALUES, most_series: int = MOST_SERIES) -> None:
        self.registry = CollectorRegistry()
        self.bound, self._bound_of_actors = LabelBound(most_values), LabelBound(most_values)
        make = Families(self.registry, self.bound, most_series)
        # With a bound of their own: a pool's many workers would leave the routers no room.
        of_actors = Families(self.registry, self._bound_of_actors, most_series)
        self._add_requests(make)
        self._add_routing(make)
        self._add_tree(of_actors)
        self._add_workers(of_actors)
        self._add_http(make)
        self._add_own(make)
        # And these once more: all actors have a mailbox, and would leave the others no room.
        self.mailbox = Families(self.registry, LabelBound(most_values), most_series).levels(
            "failsoft_mailbox_messages", "Messages that wait in a mailbox.", "path", "lane"
        )
        self._of_paths = (
            *(self.breaker, self.in_flight, self.waiting, self.load, self.mailbox),
            *(self.model_state, self.batch, self.worker_memory, self.worker_device_memory),
            *(self.device_used, self.device_capacity),
        )

    def _add_requests(self, make: Families) -> None:
        self.duration = make.spreads(
            "gen_ai_server_request_duration_seconds",
            "Time from a request's arrival at its router to its end.",
            *_ANSWERED,
            "error_type",
            buckets=SECONDS_BUCKETS,
        )
        self.first_token = make.spreads(
            "gen_ai_server_time_to_first_token_seconds",
            "Time from a request's arrival to the first chunk, for streams that were answered.",
            *_ANSWERED,
            buckets=SECONDS_BUCKETS,
        )
        self.per_token = make.spreads(
            "gen_ai_server_time_per_output_token_seconds",
            "Time for each token after the first chunk of a stream that was answered.",
            *_ANSWERED,
            buckets=TOKEN_SECONDS_BUCKETS,
        )
        self.tokens = make.spreads(
            "gen_ai_client_token_usage",
            "Tokens of a request that were read (input) or made (output).",
            *_ANSWERED,
            "gen_ai_token_type",
            buckets=TOKEN_BUCKETS,
        )
        self.queue = make.spreads(
            "failsoft_request_queue_seconds",
            "Time from a request's arrival until it was sent to a model, or given up.",
            "path",
            buckets=SECONDS_BUCKETS,
        )
        self.degraded = make.counts(
            "failsoft_degraded_requests", "Requests that the load cut down.", "path", "level"
        )

    def _add_routing(self, make: Families) -> None:
        at, model = "path", "model"
        self.retries = make.counts(
            "failsoft_retries", "Requests that went round again.", at, "cause"
        )
        self.resumed = make.counts(
            "failsoft_resumed", "Streams that another worker went on with.", at, model
        )
        self.hedges = make.counts("failsoft_hedges", "Requests sent to a second model.", at, model)
        self.fallbacks = make.counts(
            "failsoft_fallbacks", "Requests that went past a model.", at, model, "cause"
        )
        self.shed = make.counts(
            "failsoft_shed_requests", "Requests given up for those before them.", at, model
        )
        self.quarantined = make.counts(
            "failsoft_quarantined_requests", "Requests refused for the workers they took down.", at
        )
        self.breaker = make.levels(
            "failsoft_breaker_state", "1 for the state that a circuit is in.", at, model, "state"
        )
        self.breaker_changes = make.counts(
            "failsoft_breaker_changes", "Changes of a circuit to a state.", at, model, "state"
        )
        self.in_flight = make.levels(
            "failsoft_in_flight_requests", "Requests that a model has.", at, model
        )
        self.waiting = make.levels(
            "failsoft_waiting_requests", "Requests that wait for a model.", at, model
        )
        self.degradation = make.levels(
            "failsoft_degradation_level", "1 for the level that the load asks for.", "level"
        )
        self.load = make.levels("failsoft_load_ratio", "The load, from 0 to 1.", at)

    def _add_tree(self, make: Families) -> None:
        self.failures = make.counts(
            "failsoft_actor_failures", "Failures of actors.", "path", "reason"
        )
        self.restarts = make.counts("failsoft_restarts", "Restarts of actors.", "path", "reason")
        self.escalations = make.counts(
            "failsoft_escalations", "Supervisors that gave up and failed upward.", "path"
        )
        self.loop_blocked = make.spreads(
            "failsoft_loop_blocked_seconds",
            "Time that a handler held the event loop without an await.",
            "path",
            buckets=SECONDS_BUCKETS,
        )
        self.loop_lag = make.spreads(
            "failsoft_loop_lag_seconds",
            "How late the event loop came to what was due, looked at each second.",
            buckets=LAG_BUCKETS,
        )
        self.tasks = make.levels(
            "failsoft_event_loop_tasks", "Tasks of the event loop that are not done."
        )
        self.dead_letters = make.counts(
            "failsoft_dead_letters", "Messages and events that were not delivered.", "reason"
        )
        self.dropped = make.counts(
            "failsoft_dropped_subscribers", "Listeners to events that were dropped.", "path"
        )

    def _add_workers(self, make: Families) -> None:
        self.model_state = make.levels(
            "failsoft_model_state", "1 for the state that a model is in.", "path", "state"
        )
        self.worker_load = make.spreads(
            "failsoft_worker_load_seconds",
            "Time from the making of a worker to ready.",
            "path",
            buckets=SECONDS_BUCKETS,
        )
        self.hung = make.counts("failsoft_workers_hung", "Workers killed for they hung.", "path")
        self.lost = make.counts("failsoft_workers_lost", "Workers that ended unasked.", "path")
        self.worn_out = make.counts(
            "failsoft_workers_worn_out", "Workers to be replaced between two requests.", "path"
        )
        self.abandoned = make.counts(
            "failsoft_workers_abandoned", "Workers' threads that didn't leave when told to.", "path"
        )
        self.promoted = make.counts(
            "failsoft_standby_promotions", "Spare workers that took another's place.", "path"
        )
        self.standby_refused = make.counts(
            "failsoft_standby_refusals", "Times that memory had no room for a spare.", "path"
        )
        self.batch = make.levels(
            "failsoft_batch_requests", "Requests that a model's engine works on at once.", "path"
        )
        self.worker_memory = make.levels(
            "failsoft_worker_memory_bytes", "Resident memory of a model's worker.", "path"
        )
        self.worker_device_memory = make.levels(
            "failsoft_worker_device_memory_bytes", "Device memory held by a model's worker.", "path"
        )
        self.cancel = make.spreads(
            "failsoft_cancel_seconds",
            "Time from telling a worker to stop a request until it had.",
            "path",
            buckets=SECONDS_BUCKETS,
        )
        self.device_used = make.levels(
            "failsoft_device_memory_used_bytes",
            "Memory in use on the device of a model's worker, by whomever.",
            "path",
        )
        self.device_capacity = make.levels(
            "failsoft_device_memory_capacity_bytes",
            "Memory that the device of a model's worker has.",
            "path",
        )

    def _add_http(self, make: Families) -> None:
        kind = ("http_request_method", "url_scheme")
        self.http_duration = make.spreads(
            "http_server_request_duration_seconds",
            "Time from a request's arrival over HTTP to the last byte of its answer.",
            *kind,
            "http_route",
            "http_response_status_code",
            "error_type",
            buckets=SECONDS_BUCKETS,
        )
        self.http_active = make.levels(
            "http_server_active_requests", "Requests over HTTP that are under way.", *kind
        )

    def _add_own(self, make: Families) -> None:
        self.spike = make.levels(
            "failsoft_error_spike", "1 while there are far more errors than usual.", "error_type"
        )
        self.health = make.levels("failsoft_health", "1 for how the service is.", "state")
        self.alerts_sent = make.counts(
            "failsoft_alerts_sent", "Times that a receiver got alerts.", "path"
        )
        self.alerts_lost = make.counts(
            "failsoft_alerts_lost", "Times that a receiver didn't get alerts.", "path"
        )
        self.refused = make.counts(
            "failsoft_refused_labels",
            "Times that other stood in for a value of a label that has had too many.",
            "label",
        )
        Info("failsoft_build", "What this is.", registry=self.registry).info(
            {"version": metadata.version("failsoft"), "python": platform.python_version()}
        )

    @property
    def refused_labels(self) -> Counter[str]:
        """Give how often there was ``other`` in place of a value, by label."""
        return Counter(self.bound.refused) + Counter(self._bound_of_actors.refused)

    def forget(self, path: str) -> None:
        """Take out what the actor at ``path`` and those below it have now; counts stay."""
        below = path + "/"

        def is_gone(labels: dict[str, str]) -> bool:
            # A router has levels of its candidates, at its own path.
            of = "/".join((labels["path"], labels.get("model", "")))
            return (of + "/").startswith(below)

        for levels in self._of_paths:
            levels.forget(is_gone)

    def forget_unseen(self, seen: Set[str]) -> None:
        """Take out what no event tells of actors whose path isn't ``seen``: it isn't known now."""
        of_workers = (self.batch, self.worker_memory, self.worker_device_memory)
        for levels in (self.mailbox, self.load, *of_workers):
            levels.forget(lambda labels: labels["path"] not in seen)
