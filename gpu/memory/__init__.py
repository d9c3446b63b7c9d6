"""How much memory there is, how much a model takes, and where it has room."""
