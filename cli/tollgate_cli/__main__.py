"""``python -m tollgate_cli``."""

import os
import sys

from tollgate_cli.main import main

# What a shell reports of a command whose reader went away, as in ``tollgate payments show ... | head``.
_BROKEN_PIPE = 141

if __name__ == "__main__":
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # Or Python would try to flush once more, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _BROKEN_PIPE
    sys.exit(code)
