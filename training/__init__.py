"""Train the models that lie in the package. Run from the root, and never installed."""
