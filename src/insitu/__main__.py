"""``python -m insitu``: the command line, where the ``insitu`` script is not on the path."""

from insitu.cli.main import main

main()
