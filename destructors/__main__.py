"""``python -m destructors``: densities without a notebook."""

import sys

from destructors.command import main

if __name__ == "__main__":
    sys.exit(main())
