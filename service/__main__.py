"""Run the ``failsoft`` command as ``python -m failsoft.service``."""

from failsoft.service.cli import main

main()
