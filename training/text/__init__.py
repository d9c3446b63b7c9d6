"""The language model: its world, its texts, its training and its evaluation."""
