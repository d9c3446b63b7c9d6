"""Load: an actor that reads the sensors, and the level of degradation that follows from them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from failsoft.actors import Actor, ExitReason, Subscription, handles
from failsoft.messages import Control, InvalidInput, Request
from failsoft.messages.events import (
    ActorFailed,
    ActorStopped,
    DegradationChanged,
    DeviceMemoryReported,
    WorkerEnded,
)
from failsoft.supervisors.routing.degradation import UNKNOWN_LOAD, Degradation, Level, LoadLevel
from failsoft.supervisors.routing.load_sensors import (
    DeviceMemory,
    GuardedSensor,
    Sensor,
    machine_sensors,
)

_DEGRADATION = Degradation()


class LoadGauge:
    """Hold the level for all who act on it: ``system.extension(LoadGauge).level``.

    A load actor writes it. Where there is none, the level is full, and the load not known.
    """

    __slots__ = ("level", "load", "writer")

    def __init__(self) -> None:
        self.writer: LoadActor | None = None
        self.clear()

    def clear(self) -> None:
        """Go back to knowing nothing."""
        self.level = Level.FULL
        self.load: float | None = None

    async def aclose(self) -> None:
        """Be closed with its system; there is nothing to free."""

    def __repr__(self) -> str:
        load = "unknown" if self.load is None else f"{self.load:.2f}"
        return f"<LoadGauge {self.level.value}, load {load}>"


class LoadReport(msgspec.Struct, frozen=True):
    """Tell the level, and the load that it follows from, 0 to 1; None where it isn't known.

    shares: of each sensor, by its name. is_forced: an operator holds the level where it is.
    """

    level: str
    is_forced: bool
    load: float | None
    shares: dict[str, float | None]


class GetLoad(Request[LoadReport], frozen=True):
    """Ask for the load as it was last read."""


class ForceDegradation(Request[None], frozen=True):
    """Hold the level at ``full``, ``reduced`` or ``minimal``; None: follow the load again.

    Answered with InvalidInput for another word. It ends when the load actor is restarted.
    """

    level: str | None


class _ReadSensors(Control, frozen=True):
    """Read the sensors now: before all work, since that is what the level is for."""


class LoadActor(Actor):
    """Read the sensors every ``period`` seconds, and have the level follow the highest of them.

    sensors: name → what gives its share, 0 to 1, without blocking, or None where it doesn't know;
        those of CPU and memory where none are given. ``gpu`` is there besides: the largest share
        of device memory that models told of in the last ten seconds.

    A system has one. When it ends the level is full again, and the load unknown.
    """

    def __init__(
        self,
        degradation: Degradation = _DEGRADATION,
        *,
        sensors: Mapping[str, Sensor] | None = None,
        period: float = 1.0,
    ) -> None:
        if not period > 0:
            raise ValueError(f"period must be over 0 s; it is {period}")
        given = machine_sensors() if sensors is None else sensors
        if "gpu" in given:
            raise ValueError("the sensor gpu is there already; give yours another name")
        self._sensors = [GuardedSensor(name, read) for name, read in given.items()]
        self._names = [*given, "gpu"]
        self._period = period
        self._device_memory = DeviceMemory()
        self._level = LoadLevel(degradation)
        self._gauge = LoadGauge()  # nobody's, until it starts
        self._shares: dict[str, float | None] = {}
        self._subscription: Subscription | None = None

    async def on_start(self) -> None:
        self._gauge = self.context.system.extension(LoadGauge)
        if self._gauge.writer is not None:
            path = self._gauge.writer.context.path
            raise ValueError(f"the load is read at {path} already; have one load actor in a system")
        self._gauge.writer = self
        self._subscription = self.context.system.events.subscribe(
            self._device_memory.hear, DeviceMemoryReported, WorkerEnded, ActorStopped, ActorFailed
        )
        self._read()
        self.context.send_every(self._period, _ReadSensors())

    async def on_stop(self, reason: ExitReason) -> None:
        if self._subscription is not None:
            self._subscription.cancel()
        if self._gauge.writer is self:
            self._gauge.writer = None
            self._tell(Level.FULL, None, was_forced=self._level.is_forced, is_forced=False)

    def inspect(self) -> dict[str, object]:
        return {
            "degradation_level": self._level.level.value,
            "degradation_is_forced": self._level.is_forced,
            "load": self._gauge.load,
        }

    @handles(_ReadSensors)
    def _read_sensors(self, _message: _ReadSensors) -> None:
        self._read()

    @handles(ForceDegradation)
    def _force(self, request: ForceDegradation) -> None:
        was_forced = self._level.is_forced
        level = self._level.force(_level_of(request.level))
        self._tell(level, self._gauge.load, was_forced, self._level.is_forced)

    @handles(GetLoad)
    def _get_load(self, _request: GetLoad) -> LoadReport:
        level = self._level
        return LoadReport(level.level.value, level.is_forced, self._gauge.load, dict(self._shares))

    def _read(self) -> None:
        device = self._device_memory.share(self.context.clock.now())
        shares = [*(sensor.share() for sensor in self._sensors), device]
        self._shares = dict(zip(self._names, shares, strict=True))
        load = max((share for share in shares if share is not None), default=None)
        is_forced = self._level.is_forced
        self._tell(self._level.update(load), load, is_forced, is_forced)

    def _tell(self, level: Level, load: float | None, was_forced: bool, is_forced: bool) -> None:
        """Write the gauge; publish what changed."""
        before = self._gauge.level
        self._gauge.level, self._gauge.load = level, load
        if (before, was_forced) != (level, is_forced):
            self.context.publish(
                DegradationChanged,
                before=before.value,
                after=level.value,
                load=UNKNOWN_LOAD if load is None else load,
                forced=is_forced,
            )


def _level_of(word: str | None) -> Level | None:
    if word is None:
        return None
    try:
        return Level(word)
    except ValueError:
        known = ", ".join(level.value for level in Level)
        raise InvalidInput.in_fields(
            {"level": f"must be one of {known}, or null to follow the load; it is {word!r}"}
        ) from None
