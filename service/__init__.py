"""The service: the ``failsoft`` command, the demo tree, and the model that it fetches."""

from failsoft.service.model_unavailable import ModelUnavailable
from failsoft.service.smollm2 import ensure_smollm2

__all__ = ["ModelUnavailable", "ensure_smollm2"]
