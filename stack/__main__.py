"""``python -m stack``: what ``./parlance`` runs."""

import sys

from stack.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
