"""``python -m durabox``."""

from durabox.cli import main

main()
