"""The config: a supervision tree and its service, described by one TOML file.

Needs the extra ``serve``.
"""

from failsoft.service.config.build import Built, build
from failsoft.service.config.default import default_tree
from failsoft.service.config.file import Loaded, load
from failsoft.service.config.mistakes import BadConfig, Mistake
from failsoft.service.config.sections import TreeConfig

__all__ = [
    "BadConfig",
    "Built",
    "Loaded",
    "Mistake",
    "TreeConfig",
    "build",
    "default_tree",
    "load",
]
