"""``sam build`` for this machine, skipped when nothing that goes into it has changed."""

import compileall
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from py_compile import PycInvalidationMode

from local.ministack import aws_environment
from local.paths import BUILD, ROOT, TOOLS, lambda_architecture, lambda_runtime
from local.progress import step

_INPUTS = ("template.yaml", "samconfig.toml", "layers/tollgate", "functions", "local/build.py")
_KEPT_SECONDS = 3600
_LEFT_OUT = {"__pycache__", ".mypy_cache", ".ruff_cache"}


class ToolFailed(Exception):
    """sam ended with an error; the text holds its output."""


def run_sam(*arguments: str, endpoint: str) -> str:
    """Run sam without telemetry, against the local AWS only. Returns its output; raises ``ToolFailed``."""
    environment = aws_environment(endpoint) | {
        "PATH": f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}",
        "HOME": os.environ.get("HOME", str(BUILD)),
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_CHECK_UPDATES": "0",
    }
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    with subprocess.Popen(
        [str(TOOLS / "sam"), *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    ) as sam:
        try:
            output, _ = sam.communicate()
        except BaseException:
            # sam starts pip: both have to go when we are told to end.
            os.killpg(sam.pid, signal.SIGKILL)
            raise
    if sam.returncode != 0:
        raise ToolFailed(f"sam {arguments[0]} failed:\n{output}")
    return output


def built_template() -> Path:
    """Build what has changed; returns the built template's path. Raises ``ToolFailed``."""
    target = BUILD / f"sam-{_digest()}"
    if not (target / "template.yaml").exists():
        _forget_old_builds()
        with step("sam build: the functions and their layer"):
            _build(target)
    return target / "template.yaml"


def _build(target: Path) -> None:
    # Built beside its place and moved there, so that an interrupted build is not taken for a whole one.
    BUILD.mkdir(exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="unfinished-", dir=BUILD))
    try:
        _build_into(fresh)
        with contextlib.suppress(OSError):  # somebody else built the same at the same time
            fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _build_into(fresh: Path) -> None:
    run_sam(
        "build",
        "--no-cached",
        "--template-file",
        str(ROOT / "template.yaml"),
        "--build-dir",
        str(fresh),
        "--parameter-overrides",
        f"ParameterKey=Runtime,ParameterValue={lambda_runtime()}",
        f"ParameterKey=Architecture,ParameterValue={lambda_architecture()}",
        endpoint="http://127.0.0.1:9",
    )
    # Every cold start unpacks these files anew: without bytecode it would compile them each time.
    for part in fresh.iterdir():
        if part.is_dir():
            compileall.compile_dir(
                part,
                quiet=2,
                workers=0,
                invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
            )


def _forget_old_builds() -> None:
    """Remove builds of old sources, but none that another local stack may be starting from."""
    for pattern in ("sam-*", "unfinished-*"):
        for build in BUILD.glob(pattern):
            if time.time() - build.stat().st_mtime > _KEPT_SECONDS:
                shutil.rmtree(build, ignore_errors=True)


def _digest() -> str:
    digest = hashlib.sha256(f"{lambda_runtime()} {lambda_architecture()}".encode())
    for name in _INPUTS:
        start = ROOT / name
        files = [start] if start.is_file() else sorted(p for p in start.rglob("*") if p.is_file())
        for file in files:
            relative = file.relative_to(ROOT)
            if not _LEFT_OUT & set(relative.parts):
                digest.update(f"{relative}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]
