"""The commands of ``failsoft``, a file each; ``service/cli.py`` lists them.

What only one command needs is imported in it, so that ``failsoft --help`` needn't wait for it.
"""
