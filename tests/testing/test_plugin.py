"""The plugin in a user's project: settings, markers, fixtures, and what a failing test prints."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Loaded before pytester's runs, which forget what they load: each would have classes of its own.
import failsoft.actors
import failsoft.testing.running  # noqa: F401

pytest_plugins = "pytester"

MODES = ("prepend", "importlib")
AUTO = """
    [pytest]
    anyio_mode = auto
    failsoft_time = virtual
"""
ACTORS = """
import asyncio, pytest
from failsoft import Actor, Message, handles

class Boom(Message, frozen=True):
    pass

class Fragile(Actor):
    @handles(Boom)
    def boom(self, message: Boom) -> None:
        raise ValueError("it broke")
"""


def run(pytester: pytest.Pytester, source: str, *options: str, ini: str = AUTO) -> pytest.RunResult:
    """Run the tests of ``source`` in a project that has nothing else."""
    pytester.makepyfile(ACTORS + source)
    pytester.makeini(ini)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("has_conftest", [True, False])
def test_the_clock_by_a_setting(pytester: pytest.Pytester, mode: str, has_conftest: bool) -> None:
    """Virtual, and real where a test is marked so; a user's own backend gives way."""
    if has_conftest:
        pytester.makeconftest(
            "import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'"
        )
    source = """
async def test_virtual(system):
    await asyncio.sleep(3600)
    assert asyncio.get_running_loop().time() == 3600

@pytest.mark.real_time
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_real():
    import time
    assert asyncio.get_running_loop().time() == pytest.approx(time.monotonic(), abs=60)
"""
    done = run(pytester, source, f"--import-mode={mode}", "-v", "-Werror")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["*::test_virtual PASSED*"])  # no backend in its name


@pytest.mark.parametrize("where", ["module", "class", "function"])
def test_the_clock_by_a_marker(pytester: pytest.Pytester, where: str) -> None:
    """Of a test, a class or a module; the marker alone has the test run."""
    marks = {where: "@pytest.mark.virtual_time(max_jumps=9)"}
    source = f"""
{"pytestmark = pytest.mark.virtual_time(max_jumps=9)" if where == "module" else ""}
{marks.get("class", "")}
class TestIt:
    {marks.get("function", "")}
    async def test_it(self):
        await asyncio.sleep(3600)
        assert asyncio.get_running_loop().time() == 3600

    def test_sync(self):
        pass
"""
    run(pytester, source, ini="[pytest]\nstrict_markers = true").assert_outcomes(passed=2)


def test_options_of_the_marker_reach_the_loop(pytester: pytest.Pytester) -> None:
    """Nine jumps are one too few."""
    source = """
@pytest.mark.virtual_time(max_jumps=9)
async def test_it():
    for _ in range(10):
        await asyncio.sleep(1)
"""
    done = run(pytester, source)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*WouldHang: the virtual clock jumped 9 times, to 9 s*"])


@pytest.mark.parametrize("mark", ["virtual_time(loop='uvloop')", "real_time"])
def test_a_test_on_uvloop(pytester: pytest.Pytester, mark: str) -> None:
    """In virtual or in real time: with a system, its leak check, and the error for what hangs."""
    source = f"""
import socket, uvloop
pytestmark = pytest.mark.{mark}
left = []

@pytest.fixture
def anyio_backend():
    return "asyncio", {{"use_uvloop": True}}

async def test_passes(system, events):
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
    await system.spawn(Fragile, "fragile")
    await asyncio.to_thread(int)

async def test_leaks(system):
    left.extend(socket.socketpair())

async def test_fails(system):
    (await system.spawn(Fragile, "fragile")).tell(Boom())
    await asyncio.Event().wait()

def test_end():
    for it in left:
        it.close()
"""
    done = run(pytester, source)
    done.assert_outcomes(passed=3, failed=1, errors=1)
    done.stdout.fnmatch_lines(["*LeakFound*", "*: socket:*", "*: socket:*", "*TreeFailed*"])


def test_each_test_on_both_loops(pytester: pytest.Pytester) -> None:
    """By a setting, in virtual time; unless the test is marked otherwise."""
    source = """
import uvloop

def is_uvloop():
    return isinstance(asyncio.get_running_loop(), uvloop.Loop)

async def test_it(request, system):
    await asyncio.sleep(3600)
    assert asyncio.get_running_loop().time() == 3600
    assert is_uvloop() == ("uvloop" in request.node.name)

@pytest.mark.virtual_time(loop="uvloop")
async def test_on_uvloop():
    assert is_uvloop()

@pytest.mark.real_time
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_real():
    assert not is_uvloop()
"""
    done = run(pytester, source, "-v", ini=AUTO + "    failsoft_loops = asyncio uvloop\n")
    done.assert_outcomes(passed=4)
    done.stdout.fnmatch_lines(
        [
            "*::test_it[[]asyncio[]] PASSED*",
            "*::test_it[[]uvloop[]] PASSED*",
            "*::test_on_uvloop P*",
        ]
    )


def test_a_hang_on_uvloop(pytester: pytest.Pytester) -> None:
    """It is told as on asyncio's loop, and options reach the loop."""
    source = """
@pytest.mark.virtual_time(loop="uvloop", max_jumps=9)
async def test_jumps():
    try:
        while True:
            await asyncio.sleep(1)
    finally:
        print("at", asyncio.get_running_loop().time())

@pytest.mark.virtual_time(loop="libuv")
async def test_unknown():
    pass
"""
    done = run(pytester, source)
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines(["at 9.0", "*loop must be 'asyncio' or 'uvloop'; it is 'libuv'*"])


def test_a_property_test_in_virtual_time(pytester: pytest.Pytester) -> None:
    """Each example has its own loop, from 0."""
    source = """
from hypothesis import given, settings, strategies
@settings(max_examples=5, database=None)
@given(strategies.integers(1, 3600))
@pytest.mark.virtual_time
async def test_it(seconds):
    await asyncio.sleep(seconds)
    assert asyncio.get_running_loop().time() == seconds
"""
    run(pytester, source, ini="[pytest]").assert_outcomes(passed=1)


def test_a_setting_that_is_none(pytester: pytest.Pytester) -> None:
    """It is refused, and the message says what there is."""
    done = run(pytester, "", ini="[pytest]\nfailsoft_time = fast")
    done.stderr.fnmatch_lines(["*failsoft_time must be real or virtual; it is 'fast'*"])
    done = run(pytester, "", ini="[pytest]\nfailsoft_loops = asyncio trio")
    done.stderr.fnmatch_lines(["*failsoft_loops must be asyncio, uvloop, or both*'asyncio trio'*"])


def test_a_test_that_would_hang(pytester: pytest.Pytester) -> None:
    """It fails at its own line, cleans up, and the next test is none the worse."""
    source = """
@pytest.fixture
async def cleaner():
    yield
    assert asyncio.current_task().cancelling() == 0

async def test_hangs(system, cleaner):
    await system.spawn(Fragile, "fragile")
    try:
        await asyncio.Event().wait()  # here
    finally:
        await asyncio.sleep(1)
        print("cleaned up")

async def test_next(system):
    await system.spawn(Fragile, "fragile")
"""
    done = run(pytester, source)
    done.assert_outcomes(failed=1, passed=1)
    done.stdout.fnmatch_lines(
        [
            ">*await asyncio.Event().wait()  # here",
            "*WouldHang: nothing can run any more and no timer is set*",
            "*the test*",
            "*in test_hangs: await asyncio.Event().wait()  # here",
            "cleaned up",
        ]
    )


def test_a_test_that_swallows_its_cancellation(pytester: pytest.Pytester) -> None:
    """It fails all the same."""
    source = """
async def test_hangs():
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        pass
"""
    run(pytester, source).assert_outcomes(failed=1)


def test_a_handler_that_waits_for_ever(pytester: pytest.Pytester) -> None:
    """The line where the actor's handler waits is told too."""
    source = """
class Stuck(Fragile):
    @handles(Boom)
    async def boom(self, message: Boom) -> None:
        await asyncio.Event().wait()  # in the handler

async def test_hangs(system):
    (await system.spawn(Stuck, "stuck")).tell(Boom())
    await asyncio.Event().wait()
"""
    done = run(pytester, source)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*in boom: await asyncio.Event().wait()  # in the handler"])


def test_a_fixture_that_would_hang(pytester: pytest.Pytester) -> None:
    """Its setup or its teardown fails, and nothing hangs."""
    source = """
@pytest.fixture
async def before():
    await asyncio.Event().wait()

@pytest.fixture
async def after():
    yield
    await asyncio.Event().wait()

async def test_before(before):
    pass

async def test_after(after):
    pass
"""
    done = run(pytester, source)
    done.assert_outcomes(errors=2, passed=1)
    done.stdout.fnmatch_lines(["*WouldHang: nothing can run*"])


@pytest.mark.parametrize("time", ["virtual", "real"])
def test_a_tree_that_fails(pytester: pytest.Pytester, time: str) -> None:
    """The test fails with it at once, at its own line, with the cause; once."""
    mark = '@pytest.mark.parametrize("anyio_backend", ["asyncio"])' if time == "real" else ""
    source = f"""
{mark}
async def test_fails(system):
    (await system.spawn(Fragile, "fragile")).tell(Boom())
    await asyncio.Event().wait()  # here
"""
    done = run(pytester, source, ini=AUTO.replace("virtual", time))
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        [
            "*ValueError: it broke",
            ">*await asyncio.Event().wait()  # here",
            "*TreeFailed: the tree at fragile failed: ValueError: it broke",
        ]
    )


def test_a_tree_that_fails_when_the_test_is_over(pytester: pytest.Pytester) -> None:
    """It is an error of the fixture's."""
    source = """
async def test_passes(system):
    (await system.spawn(Fragile, "fragile")).tell(Boom())
"""
    done = run(pytester, source)
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["*TreeFailed: the tree at fragile failed: ValueError: it broke"])


def test_a_leak_is_found(pytester: pytest.Pytester) -> None:
    """Unless the test is marked, or has failed by itself."""
    source = """
left = []

def leave():
    left.append(asyncio.create_task(asyncio.sleep(3600), name="left-over"))

async def test_leaks(system):
    leave()

@pytest.mark.no_leak_check
async def test_may_leak(system):
    leave()

async def test_fails(system):
    leave()
    assert not left
"""
    done = run(pytester, source)
    done.assert_outcomes(passed=2, failed=1, errors=1)
    done.stdout.fnmatch_lines(
        ["*LeakFound: left behind*", "*tasks that still run:*", "*left-over*"]
    )


SEEDED = """
async def test_draws(system, failsoft_seed, events):
    assert system.random.random() == __import__("random").Random(failsoft_seed).random()
    print("seed is", failsoft_seed)
    assert %s

async def test_no_system():
    assert %s
"""


def test_a_failing_test_prints_its_seed(pytester: pytest.Pytester) -> None:
    """And the option repeats it; where chance had no part there is none."""
    first = run(pytester, SEEDED % (False, False))
    first.assert_outcomes(failed=2)
    (line,) = [
        line for line in first.outlines if "to have it again: pytest --failsoft-seed=" in line
    ]
    option = line.rpartition(" ")[2]
    seed = option.partition("=")[2]
    first.stdout.fnmatch_lines([f"seed is {seed}", f"seed {seed}; to have it again*"])
    again = pytester.runpytest_inprocess(option, "-p", "no:cacheprovider")
    again.stdout.fnmatch_lines([f"seed is {seed}"])


def test_a_passing_test_prints_no_seed(pytester: pytest.Pytester) -> None:
    """Nor anything else."""
    done = run(pytester, SEEDED % (True, True), "-rA", "--failsoft-seed=7")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["seed is 7"])
    done.stdout.no_fnmatch_line("*to have it again*")


def test_a_wider_fixture_that_holds_a_real_loop(pytester: pytest.Pytester) -> None:
    """The test would run in real time unseen: it fails with what to do."""
    source = """
@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"

@pytest.fixture(scope="module")
async def wide(anyio_backend):
    yield

@pytest.mark.real_time
async def test_real(wide):
    pass

async def test_virtual():
    pass
"""
    done = run(pytester, source)
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*RuntimeError: the test is to run in virtual time, and this loop*"])


def test_a_test_that_names_its_own_backend(pytester: pytest.Pytester) -> None:
    """In virtual time it can't have one, and is told so."""
    source = """
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_it():
    pass
"""
    done = run(pytester, source)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*RuntimeError: *names its own anyio_backend, take that away"])


def test_a_test_may_be_run_again(pytester: pytest.Pytester) -> None:
    """As plugins do that repeat a flaky test: the second run is a fresh one, leak check and all."""
    pytester.makeconftest("""
from _pytest.runner import runtestprotocol
def pytest_runtest_protocol(item, nextitem):
    runtestprotocol(item, nextitem=None, log=False)
    for report in runtestprotocol(item, nextitem=nextitem, log=False):
        item.ihook.pytest_runtest_logreport(report=report)
    return True
""")
    source = """
runs = []

async def test_again(system):
    runs.append(1)
    if len(runs) == 1:
        await asyncio.Event().wait()
    runs.append(asyncio.create_task(asyncio.sleep(1)))
"""
    done = run(pytester, source)
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["*LeakFound*"])


@pytest.mark.parametrize("mode", MODES)
def test_a_project_that_uses_nothing_pays_nothing(pytester: pytest.Pytester, mode: str) -> None:
    """The plugin is there, and has loaded nothing of the runtime; assertions tell as ever."""
    pytester.makepyfile("""
import sys

def test_loaded():
    ours = {name for name in sys.modules if name.partition(".")[0] in ("failsoft", "msgspec")}
    assert ours == {"failsoft", "failsoft.testing", "failsoft.testing.plugin"}
    assert "structlog" not in sys.modules

def test_assertion():
    left, right = [1, 2], [1, 3]
    assert left == right
""")
    done = pytester.runpytest_subprocess(
        f"--import-mode={mode}", "-p", "no:hypothesispytest", "-Werror"
    )
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*assert [[]1, 2[]] == [[]1, 3[]]"])


def test_only_the_plugin_needs_pytest(tmp_path: Path, pytester: pytest.Pytester) -> None:
    """Every public name can be had where there is no pytest."""
    program = (
        "import sys; sys.modules['pytest'] = None\n"
        "import failsoft.testing as testing\n"
        "print([getattr(testing, name) for name in testing.__all__])"
    )
    done = pytester.run(sys.executable, "-c", program)
    assert done.ret == 0
