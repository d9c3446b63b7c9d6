"""Examining: which checks are made of what, and where their facts come from."""

from __future__ import annotations

import asyncio
import functools
import importlib.metadata
import importlib.util
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from failsoft.gpu.memory.devices import Device, DevicesUnknown, accelerators
from failsoft.gpu.memory.machine_memory import machine_memory
from failsoft.gpu.scripted import scripted
from failsoft.service.client.client import ServiceClient
from failsoft.service.client.errors import Refused
from failsoft.service.client.picture import take_picture
from failsoft.service.config.checking import check_room
from failsoft.service.config.file import load
from failsoft.service.config.mistakes import BadConfig
from failsoft.service.config.sections import TreeConfig
from failsoft.service.doctor import hub, machine, packages, running, tree
from failsoft.service.doctor.finding import Finding, fail
from failsoft.service.doctor.wire_errors import errors_mapped, known_errors
from failsoft.service.doctor.worker import worker_starts
from failsoft.service.page.rows import rows_of
from failsoft.telemetry import HealthReport
from failsoft.telemetry.checks.default import default_checks

_DRIVERS = (Path("/proc/driver/nvidia"), Path("/dev/kfd"))


def examine_service(client: ServiceClient) -> Iterator[Finding]:
    """Check a running service. Raise CommandFailed."""
    health = client.get("/health", HealthReport, also=503)
    yield from running.probes(health)
    yield from running.health_checks(health)
    picture = take_picture(client, with_errors=True)
    rows = rows_of(picture.tree, {}, picture.at)
    yield from running.routes(rows)
    yield from running.models(rows)
    yield running.metrics(_scraped(client))
    yield running.errors(picture.errors)


def _scraped(client: ServiceClient) -> str | None:
    try:
        return client.text("/metrics")
    except Refused as refusal:
        if refusal.status != 404:
            raise
        return None


def examine_machine(used: frozenset[str] = frozenset(("serve",))) -> Iterator[Finding]:
    """Check what is here, whatever is served. used: the extras that must be there."""
    installed = packages.canonical(
        {each.name: each.version for each in importlib.metadata.distributions()}
    )
    yield machine.python(sys.version_info[:3])
    needed = packages.needs(importlib.metadata.requires("failsoft") or ())
    for extra, each in needed.items():
        is_used = not extra or extra in used
        yield packages.extra_installed(extra, each, installed, is_used=is_used)
    yield machine.event_loop(installed)
    yield machine.descriptors(*resource.getrlimit(resource.RLIMIT_NOFILE))
    yield _space("temporary space", Path(tempfile.gettempdir()))
    yield machine.memory(machine_memory())
    yield errors_mapped(known_errors())
    has_torch = "torch" in installed
    worker = scripted(preload=("torch",) if has_torch else ())
    yield asyncio.run(worker_starts(worker))
    if has_torch:
        has_hardware = any(driver.exists() for driver in _DRIVERS)
        yield machine.devices(_devices(), has_hardware=has_hardware)


def _devices() -> Sequence[Device] | str:
    try:
        return accelerators()
    except DevicesUnknown as error:
        return str(error)


def _space(check: str, folder: Path) -> Finding:
    is_writable = os.access(folder, os.W_OK | os.X_OK)
    free = shutil.disk_usage(folder).free if folder.exists() else 0
    return machine.folder_space(check, folder, is_writable=is_writable, free=free)


def examine_file(file: Path) -> Iterator[Finding]:
    """Check what a file describes, and the machine for it. Nothing of it is started."""
    try:
        config = load(file).tree
    except BadConfig as error:
        for mistake in error.mistakes:
            yield fail("file", str(mistake), "Mend the file; docs/config.md has all keys.")
        return
    yield from examine_tree(config)
    yield from examine_machine(tree.extras_used(config))


def examine_tree(config: TreeConfig) -> Iterator[Finding]:
    """Check a tree, and whether its models are there and have room."""
    yield tree.fallbacks(config)
    yield tree.breakers(config)
    yield tree.health_checks(config, default_checks())
    yield tree.metrics(config)
    yield tree.alerts(config)
    yield from tree.access(config)
    placed = check_room(config).models
    yield from tree.room(placed)
    trouble_with = functools.partial(hub.trouble_with, hub=hub.endpoint())
    yield from tree.sources(placed, is_offline=hub.is_offline(), trouble_with=trouble_with)
