"""Routing: what stands between a request and the models that can answer it."""
