"""Benchmarks: failsoft beside its peers, in one run, as ratios."""
