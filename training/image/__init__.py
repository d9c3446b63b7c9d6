"""Train and evaluate ``failsoft:tiny-image``: pictures of coloured shapes, from a line of text."""
