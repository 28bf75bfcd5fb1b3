"""`python -m reloc_ros.cli`, for where the command itself is not on the path."""

from reloc_ros.cli import main

main()
