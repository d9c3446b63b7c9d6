"""Say in words why a module could not be imported, and what to do."""

from __future__ import annotations

_FROM_TORCH_EXTRA = {"torch", "transformers", "accelerate", "gguf", "safetensors"}


def explain_import_failure(module: str, error: BaseException) -> str:
    """Give one sentence or two for ``error``, raised by the import of ``module``."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is None:
        return (
            f"The module '{module}' could not be imported ({type(error).__name__}); "
            "see the worker's log."
        )
    if missing in _FROM_TORCH_EXTRA:
        return f"The module '{missing}' is not installed; run pip install 'failsoft[torch]'."
    return f"There is no module '{missing}'; install it, or check the name '{module}'."
