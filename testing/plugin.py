"""The pytest plugin: loaded wherever the package is installed, so it imports nothing of ours."""

from __future__ import annotations

import functools
import inspect
import secrets
from collections.abc import AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import asyncio

    from failsoft.actors import System
    from failsoft.testing.guard import Guard
    from failsoft.testing.leaks import LeakCheck
    from failsoft.testing.recorder import EventRecorder

_SEED = pytest.StashKey[int]()
_GUARD = pytest.StashKey["Guard"]()
_HAS_FAILED = pytest.StashKey[bool]()
_BACKEND = "anyio_backend"

_MARKERS = (
    "virtual_time(*, loop, max_jumps, patience): run the async test with anyio's plugin on a loop "
    "whose clock jumps, loop='uvloop' for uvloop; see docs/testing.md of failsoft.",
    "real_time: run the test in real time, where the option failsoft_time says virtual.",
    "no_leak_check: let the test leave tasks, descriptors and processes of its system behind.",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that repeats a run's chance, and the setting of the clock."""
    parser.getgroup("failsoft").addoption(
        "--failsoft-seed",
        type=int,
        metavar="N",
        help="Seed the chance of each test's system with N; a test that fails prints its seed.",
    )
    parser.addini(
        "failsoft_time",
        "Run tests that anyio's plugin runs in `virtual` or in `real` time.",
        default="real",
    )
    parser.addini(
        "failsoft_loops",
        "The loops for tests in virtual time, `asyncio` and `uvloop`: each test runs on each.",
        type="args",
        default=["asyncio"],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; raise UsageError for a setting that isn't one."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if config.getini("failsoft_time") not in ("real", "virtual"):
        raise pytest.UsageError(
            f"failsoft_time must be real or virtual; it is {config.getini('failsoft_time')!r}"
        )
    loops = config.getini("failsoft_loops")
    if not loops or not set(loops) <= {"asyncio", "uvloop"}:
        raise pytest.UsageError(
            f"failsoft_loops must be asyncio, uvloop, or both; it is {' '.join(loops)!r}"
        )


# -- virtual time


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> None:
    """Have anyio's plugin run an async test that is marked ``virtual_time``."""
    test = obj.hypothesis.inner_test if hasattr(obj, "hypothesis") else obj
    if inspect.iscoroutinefunction(test) and collector.istestfunction(obj, name):
        marks = [mark.name for mark in getattr(obj, "pytestmark", ())]
        if "virtual_time" in marks or collector.get_closest_marker("virtual_time") is not None:
            pytest.mark.usefixtures(_BACKEND)(obj)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test in virtual time its backend: by a mark, since that goes before any fixture."""
    item = metafunc.definition
    if _BACKEND in metafunc.fixturenames and _is_virtual(item) and not _names_backend(item):
        marker = item.get_closest_marker("virtual_time")
        options = dict(marker.kwargs) if marker is not None else {}
        loop = options.pop("loop", None)
        loops = item.config.getini("failsoft_loops") if loop is None else [loop]
        hidden = getattr(pytest, "HIDDEN_PARAM", "virtual")  # since pytest 8.4
        backends = [
            pytest.param(
                (
                    "asyncio",
                    {"loop_factory": functools.partial(_virtual_time_loop, loop, **options)},
                ),
                id=loop if len(loops) > 1 else hidden,
            )
            for loop in loops
        ]
        item.add_marker(pytest.mark.parametrize(_BACKEND, backends))


def _is_virtual(item: pytest.Item) -> bool:
    for marker in item.iter_markers():  # the closest first
        if marker.name in ("virtual_time", "real_time"):
            return marker.name == "virtual_time"
    return bool(item.config.getini("failsoft_time") == "virtual")


def _names_backend(item: pytest.Item) -> bool:
    return any(_BACKEND in mark.args[0] for mark in item.iter_markers("parametrize") if mark.args)


def _virtual_time_loop(loop: str, **options: Any) -> asyncio.AbstractEventLoop:
    if loop == "uvloop":
        from failsoft.testing.virtual_time_uvloop import VirtualTimeUvloop

        return VirtualTimeUvloop(**options)
    if loop != "asyncio":
        raise ValueError(f"virtual_time: loop must be 'asyncio' or 'uvloop'; it is {loop!r}")

    from failsoft.testing.virtual_time import VirtualTimeLoop

    return VirtualTimeLoop(**options)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Guard an async test that runs in virtual time, or uses a system."""
    test = pyfuncitem.obj
    is_virtual = _is_virtual(pyfuncitem)
    is_guarded = is_virtual or _GUARD in pyfuncitem.stash
    if _BACKEND not in pyfuncitem.fixturenames or not inspect.iscoroutinefunction(test):
        is_guarded = False
    if not is_guarded:
        return (yield)

    guard = _guard_of(pyfuncitem)
    # Where the test is run again, it gets another one.
    del pyfuncitem.stash[_GUARD]

    @functools.wraps(test)
    async def guarded(**arguments: Any) -> None:
        await guard.run(lambda: test(**arguments), is_virtual=is_virtual)

    pyfuncitem.obj = guarded
    try:
        return (yield)
    finally:
        pyfuncitem.obj = test


def _guard_of(item: pytest.Item) -> Guard:
    from failsoft.testing.guard import Guard

    return item.stash.setdefault(_GUARD, Guard())


def _leak_check_for(item: pytest.Item) -> LeakCheck | None:
    from failsoft.testing.leaks import LeakCheck

    return LeakCheck() if item.get_closest_marker("no_leak_check") is None else None


# -- a system


@pytest.fixture
def failsoft_seed(request: pytest.FixtureRequest) -> int:
    """Give the seed of this test's chance, --failsoft-seed or a new one; a failure prints it."""
    given: int | None = request.config.getoption("--failsoft-seed")
    seed = secrets.randbits(32) if given is None else given
    request.node.stash[_SEED] = seed
    return seed


@pytest.fixture
async def system(request: pytest.FixtureRequest, failsoft_seed: int) -> AsyncIterator[System]:
    """Give a running system. It is stopped after the test, and must leave nothing behind."""
    from failsoft.testing.running import hosted_system

    item, guard, check = request.node, _guard_of(request.node), _leak_check_for(request.node)
    item.stash[_HAS_FAILED] = False
    try:
        async with hosted_system(failsoft_seed, guard.interrupt) as system:
            yield system
            if check is not None:
                check.note_processes()
        if check is not None and not item.stash[_HAS_FAILED]:
            await check.check()
    except Exception as error:
        if not guard.has_raised(error):
            raise
    finally:
        if check is not None:
            check.end()


@pytest.fixture
def events(system: System) -> Iterator[EventRecorder]:
    """Give a recorder of the system's events."""
    from failsoft.testing.recorder import EventRecorder

    recorder = EventRecorder(system)
    yield recorder
    recorder.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print the seed of a test that fails."""
    report = yield
    if report.failed:
        item.stash[_HAS_FAILED] = True
        seed = item.stash.get(_SEED, None)
        if seed is not None:
            report.sections.append(
                ("failsoft", f"seed {seed}; to have it again: pytest --failsoft-seed={seed}")
            )
    return report
