"""The default tree: what is served where no file is named. It needs nothing but the package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from failsoft.gpu.tiny import EMBEDDED
from failsoft.service.config.file import Loaded
from failsoft.service.config.models import EmbeddingModel, ImageModel, ModelConfig, TextModel
from failsoft.service.config.routes import RouteConfig
from failsoft.service.config.secret import Secrets
from failsoft.service.config.sections import TreeConfig

_TEXT: Final = "failsoft:tiny-text"
_IMAGE: Final = "failsoft:tiny-image"


def default_tree() -> Loaded:
    """Give the tree: chat, embeddings, and images where the package has a model for them."""
    # One thread each: workers that share a few cores must not fight over them.
    models: dict[str, ModelConfig] = {
        "tiny-text": TextModel(source=_TEXT, threads=1),
        "tiny-embedding": EmbeddingModel(source=_TEXT, threads=1),
    }
    routes = {
        "chat": RouteConfig(models=("tiny-text",)),
        "embeddings": RouteConfig(models=("tiny-embedding",)),
    }
    if _IMAGE in EMBEDDED:
        models["tiny-image"] = ImageModel(source=_IMAGE, threads=1)
        routes["images"] = RouteConfig(models=("tiny-image",))
    return Loaded(TreeConfig(models=models, routes=routes), Secrets(os.environ, Path.cwd()))
