"""The greeting: where a service listens, what it has, and how it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from msgspec import UNSET

from failsoft.service.config.models import LoadedModel, ModelConfig, RemoteModelConfig
from failsoft.service.config.sections import TreeConfig

# By the first type of request that is there: what it is asked by.
_ASKED: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "GenerateText": ("generate", {"prompt": "What do cats eat?"}),
    "Embed": ("v1/embeddings", {"input": "What do cats eat?"}),
    "GenerateImage": ("generate_image", {"prompt": "a red circle"}),
}


def greeting(tree: TreeConfig, url: str) -> Iterator[str]:
    """Give its lines. url: where the service listens."""
    yield f"failsoft serves on {url}"
    kinds: dict[str, str] = {}
    for name, route in tree.routes.items():
        models = [f"{each} ({_what(tree.models[each])})" for each in route.models]
        also = f", also as {', '.join(route.aliases)}" if route.aliases else ""
        yield f"  {name}: {' → '.join(models)}{also}"
        kinds.setdefault(tree.models[route.models[0]].answers.__name__, name)
    kind = next(each for each in _ASKED if each in kinds)
    path, body = _ASKED[kind]
    said = json.dumps({"model": kinds[kind], **body})
    key = "" if tree.service.keys_file is UNSET else " -H 'Authorization: Bearer KEY'"
    yield f"Ask it: curl {url}/{path} -H 'Content-Type: application/json'{key} -d '{said}'"
    yield f"The live page: {url}/"
    yield f'An OpenAI client: OpenAI(base_url="{url}/v1", api_key="{"KEY" if key else "none"}")'


def _what(model: ModelConfig) -> str:
    match model:
        case LoadedModel(source=source):
            return source
        case RemoteModelConfig(model=name, base_url=base_url):
            return f"{name} at {base_url}"
        case _:
            return "scripted"
