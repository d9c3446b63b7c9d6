"""Libraries that write their log to the terminal by themselves, past Python's root logger."""

from __future__ import annotations

import logging
import sys


def take_over_library_logs() -> None:
    """Have what they log go to the root logger, as all else does: transformers, uvicorn.

    It concerns those that have been imported by now. Handlers that write elsewhere stay.
    """
    for logger in tuple(logging.root.manager.loggerDict.values()):
        if not isinstance(logger, logging.Logger):
            continue
        own = [handler for handler in logger.handlers if _writes_to_terminal(handler)]
        for handler in own:
            logger.removeHandler(handler)
            logger.propagate = True


def _writes_to_terminal(handler: logging.Handler) -> bool:
    if not isinstance(handler, logging.StreamHandler) or isinstance(handler, logging.FileHandler):
        return False
    return handler.stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
