"""Packages: what failsoft needs, by its own metadata, and what there is of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from failsoft.service.doctor.finding import Finding, fail, ok, warn

_REQUIREMENT: Final = re.compile(r"([\w.-]+)(?:>=([\d.]+))?")
_EXTRA: Final = re.compile(r"extra == ['\"]([\w-]+)['\"]")
_OWN: Final = "failsoft"
# What no deployment needs.
_OTHERS: Final = frozenset(("all", "bench", "dev"))


class Need(msgspec.Struct, frozen=True):
    """Name a package. at_least: of its releases; empty for any."""

    name: str
    at_least: str = ""


def needs(requirements: Iterable[str]) -> dict[str, tuple[Need, ...]]:
    """Give what each extra needs itself, and under the empty name what is needed always."""
    found: dict[str, list[Need]] = {"": []}
    for line in requirements:
        extra = told[1] if (told := _EXTRA.search(line)) else ""
        match = _REQUIREMENT.match(line)
        if extra not in _OTHERS and match is not None and match[1] != _OWN:
            found.setdefault(extra, []).append(Need(match[1], match[2] or ""))
    return {extra: tuple(needed) for extra, needed in found.items()}


def package(extra: str, need: Need, installed: Mapping[str, str]) -> Finding | None:
    """Check a package; None where it is there, and new enough."""
    remedy = f"pip install '{_OWN}[{extra}]'" if extra else f"pip install {_OWN}"
    version = installed.get(_canonical(need.name))
    check = f"extra {extra}" if extra else "packages"
    if version is None:
        return fail(check, f"{need.name} is not installed", remedy)
    if _numbers(version) < _numbers(need.at_least):
        found = f"{need.name} {version} is too old; it must be {need.at_least} or newer"
        return fail(check, found, remedy)
    return None


def extra_installed(
    extra: str, needed: Iterable[Need], installed: Mapping[str, str], *, is_used: bool
) -> Finding:
    """Check an extra. is_used: by what is served; else that it isn't there is nothing wrong."""
    needed = tuple(needed)
    troubles = [found for need in needed if (found := package(extra, need, installed)) is not None]
    said = ", ".join(
        f"{need.name} {version}"
        for need in needed
        if (version := installed.get(_canonical(need.name))) is not None
    )
    check = f"extra {extra}" if extra else "packages"
    if not troubles:
        return ok(check, said)
    first = troubles[0]
    if is_used:
        return first
    if not said:
        return ok(check, "not installed")
    return warn(check, first.found, first.remedy)


def canonical(names: Mapping[str, str]) -> dict[str, str]:
    """Give installed packages by the names that they are looked up by."""
    return {_canonical(name): version for name, version in names.items()}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _numbers(version: str) -> tuple[int, ...]:
    """Give the numbers that a release begins with: 2.13.0+cpu is 2.13.0."""
    told = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, told[0].split("."))) if told else ()
