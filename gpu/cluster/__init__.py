"""Workers on other machines: how they are placed, reached, watched and ended."""
