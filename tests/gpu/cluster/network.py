"""Another machine's network and clock, as namespaces of this machine's kernel."""

from __future__ import annotations

import os
import subprocess

NOBODY = "02:00:00:00:00:99"


class Network:
    """Hold a machine's network, with one cable to this one. Raises OSError where it can't be."""

    def __init__(self) -> None:
        number = os.getpid() % 60_000
        self.name = f"failsoft{number}"
        self._ours, self._theirs = f"fsa{number}", f"fsb{number}"
        net = f"10.231.{number // 64 % 256}"
        first = number % 64 * 4
        self.here, self.there = f"{net}.{first + 1}", f"{net}.{first + 2}"
        try:
            _run("ip", "netns", "add", self.name)
            cable = ("type", "veth", "peer", "name", self._theirs, "netns", self.name)
            _run("ip", "link", "add", self._ours, *cable)
            _run("ip", "addr", "add", f"{self.here}/30", "dev", self._ours)
            _run("ip", "link", "set", self._ours, "up")
            self._run_there("ip", "addr", "add", f"{self.there}/30", "dev", self._theirs)
            self._run_there("ip", "link", "set", self._theirs, "up")
        except OSError:
            self.remove()
            raise

    @property
    def command(self) -> tuple[str, ...]:
        """Give what runs a program there, and keeps its input open when ours has ended.

        So does a connection that is cut: nobody there hears of it.
        """
        hold = '{ read -r line; echo "$line"; exec sleep infinity; }'
        return ("sh", "-c", f'{hold} | ip netns exec {self.name} "$0" "$@"')

    def cut(self) -> None:
        _run("ip", "link", "set", self._ours, "down")

    def cut_there(self) -> None:
        """Have nothing of ours arrive there; what they send does."""
        _run(*_astray(self.there, self._ours))

    def cut_back(self) -> None:
        """Have nothing of theirs arrive here; what we send does."""
        self._run_there(*_astray(self.here, self._theirs))

    def heal(self) -> None:
        _run("ip", "link", "set", self._ours, "up")

    def slow(self, rate: str) -> None:
        """Have what comes from there come no faster."""
        shape = ("tbf", "rate", rate, "burst", "16kbit", "latency", "200ms")
        self._run_there("tc", "qdisc", "add", "dev", self._theirs, "root", *shape)

    def remove(self) -> None:
        for words in (("link", "del", self._ours), ("netns", "del", self.name)):
            subprocess.run(["ip", *words], check=False, capture_output=True)

    def _run_there(self, *program: str) -> None:
        _run("ip", "netns", "exec", self.name, *program)


def _astray(address: str, device: str) -> tuple[str, ...]:
    there = ("lladdr", NOBODY, "nud", "permanent", "dev", device)
    return ("ip", "neigh", "replace", address, *there)


def _run(*program: str) -> None:
    """Run a program. Raises OSError where it fails."""
    try:
        subprocess.run(program, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise OSError(f"{' '.join(program)}: {error.stderr.strip()}") from error


OTHER_CLOCK = ("unshare", "-T", "--monotonic", "1000000", "--fork")


def can_have_other_clock() -> bool:
    """Tell whether this kernel lets us have another clock."""
    try:
        _run(*OTHER_CLOCK, "true")
    except OSError:
        return False
    return True
