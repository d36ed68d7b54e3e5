"""Make every way of being told to end run the clean-up that Ctrl-C runs."""

import signal
from types import FrameType


def _interrupt(number: int, frame: FrameType | None) -> None:
    # A second signal must not cut the clean-up of the first short.
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.SIG_IGN)
    raise KeyboardInterrupt


def end_on_signals() -> None:
    """SIGINT, SIGTERM and SIGHUP raise ``KeyboardInterrupt``, once."""
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, _interrupt)
