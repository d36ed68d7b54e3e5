"""Nothing of the local stack outlives whoever started it, however that ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.paths import ROOT
from local.processes import Service, StartFailed

# A command with a child that ignores SIGTERM: both write their process id.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) == 2:
    subprocess.Popen([sys.executable, *sys.orig_argv[1:], "child"])
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
time.sleep(60)
"""


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_pids(file: Path) -> list[int]:
    """The ids of the command and its child."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        lines = file.read_text().split() if file.exists() else []
        if len(lines) == 2:
            return [int(line) for line in lines]
        time.sleep(0.05)
    raise AssertionError("the command did not start")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_stop_ends_the_command_and_its_children_and_removes_the_scratch(tmp_path: Path) -> None:
    """Even those that ignore SIGTERM."""
    pids, scratch = tmp_path / "pids", tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-c", STUBBORN, str(pids)]
    service = Service("stubborn", command, dict(os.environ), tmp_path / "log", str(scratch))
    service.start(pids.exists)
    running = wait_for_pids(pids)
    service.stop()
    assert not any(alive(pid) for pid in running)
    assert not scratch.exists()
    service.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_killed_starter_takes_its_services_with_it(tmp_path: Path) -> None:
    """SIGKILL leaves the starter no chance to clean up; the guard does it."""
    pids = tmp_path / "pids"
    starter = (
        "import os, sys, time; from pathlib import Path; from local.processes import Service\n"
        f"pids = Path({str(pids)!r})\n"
        f"command = [sys.executable, '-c', {STUBBORN!r}, str(pids)]\n"
        f"Service('stubborn', command, dict(os.environ), Path({str(tmp_path / 'log')!r})).start(pids.exists)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", starter], cwd=ROOT)
    running = wait_for_pids(pids)
    assert all(alive(pid) for pid in running)
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in running) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in running)


def test_a_command_that_ends_at_once_fails_the_start_with_its_log(tmp_path: Path) -> None:
    """The reason is in the error, not in a file that somebody has to find."""
    command = [sys.executable, "-c", "raise SystemExit('no such port')"]
    service = Service("broken", command, dict(os.environ), tmp_path / "log")
    with pytest.raises(StartFailed, match="no such port"):
        service.start(lambda: False)
