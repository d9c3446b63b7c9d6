"""Processes: the reaper, the template, and workers that are forked or plainly started."""
