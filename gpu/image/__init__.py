"""Diffusion models: the engine, and the sizes and steps of its images."""
