"""``guard.py <directory> <command...>``: run a command that cannot outlive whoever started it.

The starter holds the other end of standard input. When that closes, even because the starter was
killed, or on SIGTERM, the command's whole process group gets SIGTERM and, half a second later,
SIGKILL; what it leaves behind is waited for, so no zombie stays either, and at last the directory
(if one is named) is removed.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading

_GRACE_SECONDS = 0.5  # nothing that we guard has anything to save
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def _adopt_orphans() -> None:
    """Become the parent of the command's orphans, where the system can do that (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap(command: int, over: threading.Event) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            if os.waitpid(-1, 0)[0] == command:
                over.set()


def _wait_for_starter(over: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    over.set()


def main(directory: str, command: list[str]) -> None:
    """Returns when the command and all that it started have ended."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _adopt_orphans()
    group = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0).pid
    reaper = threading.Thread(target=_reap, args=(group, over), daemon=True)
    reaper.start()
    threading.Thread(target=_wait_for_starter, args=(over,), daemon=True).start()
    over.wait()
    for kind, seconds in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, kind)
        reaper.join(seconds)
    if directory:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
    os._exit(0)
