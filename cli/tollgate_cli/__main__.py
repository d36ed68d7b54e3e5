"""``python -m tollgate_cli``."""

import sys

from tollgate_cli.main import main

if __name__ == "__main__":
    sys.exit(main())
