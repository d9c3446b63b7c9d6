"""A small grammar of templates that writes texts, and tells whether a text is one of its own.

``[one|two|]`` is a choice. ``{animal}`` is a word of the lexicon ``animal``; the same slot is the
same word wherever it stands in a text and in its question. ``{animal.eats}`` is what that word's
entry has under ``eats`` (one of several, where there are several), ``{animal.eats=meal}`` keeps
the one chosen as ``{meal}``, ``{friend:animal}`` is an animal again, under another label, and
another one. A label with a capital, ``{Animal}``, gives its word one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

# Of a word: what is said of it, by name; of several values any may stand in a text.
Entry = Mapping[str, tuple[str, ...]]
Lexicons = Mapping[str, tuple[Entry, ...]]
Bound = dict[str, Entry]

_SLOT = re.compile(r"\{(?:(\w+):)?(\w+)(?:\.(\w+))?(?:=(\w+))?\}")
_MARKS = re.compile(r"(\{[^}]*\}|[\[\]|])")
_PLAIN = "one"


@dataclass(frozen=True)
class Slot:
    """Stand for a word."""

    label: str
    kind: str
    attribute: str
    keeps: str | None
    has_capital: bool


@dataclass(frozen=True)
class Choice:
    """Stand for one of several sequences."""

    options: tuple[tuple[Part, ...], ...]


Part = str | Slot | Choice


@dataclass(frozen=True)
class Grammar:
    """Write and read templates with the words of ``lexicons``."""

    lexicons: Lexicons
    _compiled: dict[str, tuple[Part, ...]] = field(default_factory=dict)

    def write(self, template: str, random: Random, bound: Bound, beside: Iterable[str] = ()) -> str:
        """Give a text of ``template``; what its slots stand for is added to ``bound``.

        beside: templates that will be written with the same words: only words that have all that
        is said of them there are chosen.
        """
        needs = self.attributes(template, *beside)
        return self._write(self._parts(template), random, bound, needs)

    def accepts(self, template: str, text: str, bound: Bound | None = None) -> bool:
        """Tell whether ``template`` can become ``text``, with the words in ``bound``."""
        ends = self._read(self._parts(template), text, 0, dict(bound or {}))
        return any(end == len(text) for end, _ in ends)

    def labels(self, template: str) -> dict[str, str]:
        """Give the labels of a template's slots, in their order, and the kind of each."""
        labels: dict[str, str] = {}
        for slot in _slots(self._parts(template)):
            labels.setdefault(slot.label, slot.kind)
        return labels

    def attributes(self, *templates: str) -> dict[str, set[str]]:
        """Give what is said of each label's word."""
        attributes: dict[str, set[str]] = {}
        for template in templates:
            for slot in _slots(self._parts(template)):
                attributes.setdefault(slot.label, set()).add(slot.attribute)
        return attributes

    def kept(self, template: str) -> dict[str, tuple[str, str]]:
        """Give the labels that keep what was chosen, and of each the slot it comes from."""
        slots = _slots(self._parts(template))
        return {slot.keeps: (slot.label, slot.attribute) for slot in slots if slot.keeps}

    def _write(
        self, parts: tuple[Part, ...], random: Random, bound: Bound, needs: dict[str, set[str]]
    ) -> str:
        written = []
        for part in parts:
            if isinstance(part, str):
                written.append(part)
            elif isinstance(part, Choice):
                written.append(self._write(random.choice(part.options), random, bound, needs))
            else:
                if part.label not in bound:
                    able = [
                        entry
                        for entry in self._free(part, bound)
                        if needs[part.label] <= entry.keys()
                    ]
                    bound[part.label] = random.choice(able)
                word = random.choice(bound[part.label][part.attribute])
                _keep(part, word, bound)
                written.append(_cased(part, word))
        return "".join(written)

    def _read(
        self, parts: tuple[Part, ...], text: str, at: int, bound: Bound
    ) -> Iterator[tuple[int, Bound]]:
        """Give each place up to which ``parts`` can be read from ``at``, with its words."""
        if not parts:
            yield at, bound
            return
        first, rest = parts[0], parts[1:]
        for end, words in self._read_one(first, text, at, bound):
            yield from self._read(rest, text, end, words)

    def _read_one(
        self, part: Part, text: str, at: int, bound: Bound
    ) -> Iterator[tuple[int, Bound]]:
        if isinstance(part, str):
            if text.startswith(part, at):
                yield at + len(part), bound
        elif isinstance(part, Choice):
            for option in part.options:
                yield from self._read(option, text, at, bound)
        else:
            known = bound.get(part.label)
            for entry in self._free(part, bound) if known is None else [known]:
                for word in entry.get(part.attribute, ()):
                    if text.startswith(_cased(part, word), at):
                        words = {**bound, part.label: entry}
                        _keep(part, word, words)
                        yield at + len(word), words

    def _free(self, slot: Slot, bound: Bound) -> list[Entry]:
        taken = [id(entry) for entry in bound.values()]
        return [entry for entry in self.lexicons[slot.kind] if id(entry) not in taken]

    def _parts(self, template: str) -> tuple[Part, ...]:
        if template not in self._compiled:
            if template.count("[") != template.count("]"):
                raise ValueError(f"brackets don't match in {template!r}")
            (self._compiled[template],) = _options(list(filter(None, _MARKS.split(template))))
        return self._compiled[template]


def _options(marks: list[str]) -> tuple[tuple[Part, ...], ...]:
    """Take ``marks`` up to the bracket that closes; give the sequences between the bars."""
    options: list[list[Part]] = [[]]
    while marks:
        mark = marks.pop(0)
        if mark == "]":
            break
        if mark == "|":
            options.append([])
        elif mark == "[":
            options[-1].append(Choice(_options(marks)))
        else:
            options[-1].append(_slot(mark) if "{" in mark else mark)
    return tuple(map(tuple, options))


def _slot(mark: str) -> Slot:
    match = _SLOT.fullmatch(mark)
    if match is None:
        raise ValueError(f"no slot: {mark!r}")
    label, kind, attribute, keeps = match.groups()
    shown = label or kind
    return Slot(
        label=shown.lower(),
        kind=kind.lower(),
        attribute=attribute or _PLAIN,
        keeps=keeps,
        has_capital=shown[0].isupper(),
    )


def _slots(parts: Iterable[Part]) -> Iterator[Slot]:
    for part in parts:
        if isinstance(part, Slot):
            yield part
        elif isinstance(part, Choice):
            for option in part.options:
                yield from _slots(option)


def _keep(slot: Slot, word: str, bound: Bound) -> None:
    if slot.keeps is not None:
        bound[slot.keeps] = {_PLAIN: (word,)}


def _cased(slot: Slot, word: str) -> str:
    return word[0].upper() + word[1:] if slot.has_capital else word
