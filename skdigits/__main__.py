"""``python -m skdigits``: the command line."""

import sys

from skdigits._commands import main

if __name__ == "__main__":
    sys.exit(main())
