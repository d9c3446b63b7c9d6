"""A small client of a running service, for the operator's commands."""
