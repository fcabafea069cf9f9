"""`python -m meanfield` is the `meanfield` command."""

from meanfield.cli import main

main()
