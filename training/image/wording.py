"""Say a scene in words, in many ways, and the words there are."""

from __future__ import annotations

from random import Random

from training.image.scenes import COLOURS, PLAIN, SHAPES, SIZES, Scene, Thing

UNKNOWN = "[UNK]"
_COUNTS = {2: ("two", "2"), 3: ("three", "3"), 4: ("four", "4")}
_OTHER_NAMES = {"circle": "disc", "square": "box", "purple": "violet"}
_RELATIONS = {
    "above": ("above", "over"),
    "below": ("below", "under"),
    "left": ("left of", "to the left of"),
    "right": ("right of", "to the right of"),
}
_OPENINGS = ("a picture of", "an image of", "draw", "please draw")


def plainly(scene: Scene) -> str:
    """Say it in the shortest common way, such as "two red circles on a blue background"."""
    said = [_thing(thing) for thing in scene.things]
    joined = f" {_RELATIONS[scene.relation][0] if scene.relation else 'and'} ".join(said)
    if scene.background == PLAIN:
        return joined
    return f"{joined} on {_article(scene.background)} {scene.background} background"


def variously(scene: Scene, random: Random) -> str:
    """Say it in one of many ways; now and then a word is one that the model doesn't know.

    That word is left open: a picture of anything may stand for it.
    """
    said = [_varied(thing, random) for thing in scene.things]
    relation = random.choice(_RELATIONS[scene.relation]) if scene.relation else "and"
    text = f" {relation} ".join(said)
    background = scene.background
    if background != PLAIN or random.random() < 0.1:
        end = "" if random.random() < 0.15 else " background"
        article = f"{_article(background)} " if end else ""
        text = f"{text} on {article}{background}{end}"
    if random.random() < 0.15:
        text = f"{random.choice(_OPENINGS)} {text}"
    return " ".join(_blurred(word, random) for word in text.split())


def vocabulary() -> list[str]:
    """Give every word that ``variously`` may say, without plural ``s`` left out."""
    shapes = [*SHAPES, *(_OTHER_NAMES[shape] for shape in SHAPES if shape in _OTHER_NAMES)]
    texts = [
        *COLOURS, PLAIN, *SIZES, *shapes, *map(_plural, shapes), "violet", "gray",
        *(word for words in _COUNTS.values() for word in words), "one", "1",
        *(word for words in _RELATIONS.values() for word in words), *_OPENINGS,
        "a an the and on background",
    ]  # fmt: skip
    return sorted({word for text in texts for word in text.split()})


def _thing(thing: Thing) -> str:
    parts = [thing.size, thing.colour, thing.shape]
    if thing.count > 1:
        parts = [_COUNTS[thing.count][0], thing.size, thing.colour, _plural(thing.shape)]
        return " ".join(part for part in parts if part)
    words = " ".join(part for part in parts if part)
    return f"{_article(words)} {words}"


def _varied(thing: Thing, random: Random) -> str:
    colour, shape = (
        _OTHER_NAMES.get(name, name) if random.random() < 0.15 else name
        for name in (thing.colour, thing.shape)
    )
    words = f"{thing.size} {colour}".strip()
    if thing.count > 1:
        count = _COUNTS[thing.count][0 if random.random() < 0.85 else 1]
        return f"{count} {words} {_plural(shape)}"
    first = random.choices((_article(words), "one", "the", ""), (80, 8, 6, 6))[0]
    return f"{first} {words} {shape}".strip()


def _blurred(word: str, random: Random) -> str:
    """Give the word, seldom an unknown one in its place or before it."""
    named = word in COLOURS or word.removesuffix("s") in SHAPES
    chance = random.random()
    if named and chance < 0.02:
        return UNKNOWN
    return f"{UNKNOWN} {word}" if named and chance > 0.98 else word


def _plural(shape: str) -> str:
    return f"{shape}es" if shape.endswith("x") else f"{shape}s"


def _article(words: str) -> str:
    return "an" if words[0] in "aeiou" else "a"
