"""Supervised inference: an asyncio actor system in which models fail softly."""

__version__ = "0.1.0"
