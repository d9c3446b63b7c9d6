"""``failsoft doctor``: checks of a deployment, each a small function that gives its findings."""
