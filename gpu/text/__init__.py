"""Language models: the engine, its batches, and what makes and bounds their tokens."""
