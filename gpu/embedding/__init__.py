"""Embedding models: the engine and its batches."""
