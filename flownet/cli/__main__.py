"""``python -m flownet.cli``: the shell command without its script."""

from flownet.cli import main

main()
