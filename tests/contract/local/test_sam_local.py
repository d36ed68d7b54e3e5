"""``make sam-local`` where there is no Docker, and the way from containers to this machine."""

import os
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from local.forwarder import Forwarder
from local.paths import ROOT
from local.sam_local import told


def _run(path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.sam_local"],
        cwd=ROOT,
        env={"PATH": path, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "layers/tollgate", ROOT / "cli")))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_docker_it_says_so_and_starts_nothing(tmp_path: Path) -> None:
    """One sentence, and not success."""
    run = _run(str(tmp_path))
    assert run.returncode == 1
    assert run.stderr.strip() == "make sam-local needs Docker, and there is no `docker` on the PATH."


def test_a_docker_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """Installed, but no daemon: its own last words."""
    fake = tmp_path / "docker"
    fake.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon.' >&2\nexit 1\n")
    fake.chmod(0o755)
    run = _run(str(tmp_path))
    assert run.returncode == 1
    assert run.stderr.strip() == (
        "make sam-local needs Docker, which does not answer: Cannot connect to the Docker daemon."
    )


def test_the_forwarder_carries_both_ways_and_ends() -> None:
    """Bytes there and back from another address of this machine; after ``stop`` nothing listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def echo() -> None:
            caller, _ = server.accept()
            with caller:
                while data := caller.recv(1024):
                    caller.sendall(data.upper())

        threading.Thread(target=echo, daemon=True).start()
        forwarder = Forwarder("127.0.0.2", server.getsockname()[1])
        with closing(socket.create_connection(("127.0.0.2", forwarder.port), timeout=5)) as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            client.settimeout(5)
            assert client.recv(1024) == b"HELLO"
            assert client.recv(1024) == b""
        forwarder.stop()
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", forwarder.port), timeout=2).close()


def test_an_address_that_is_not_this_machines_is_refused() -> None:
    """Docker Desktop's bridge is in a machine of its own: then its name for this one is used."""
    with pytest.raises(OSError):
        Forwarder("192.0.2.1", 80)


def test_an_answer_is_told_in_one_line() -> None:
    """HTTP answers by status and body, the others as they are."""
    assert told({"visited": 0}) == '{"visited": 0}'
    assert told({"statusCode": 402, "body": "e30=", "isBase64Encoded": True}) == "402 {}"
