"""``make lock``: resolve requirements/*.in anew, for every platform, into the pinned files."""

import subprocess
import sys

from local.paths import BUILD, ROOT

_UV = "0.13.8"
_COMMON = (
    "--universal",
    "--python-version=3.11",
    "--upgrade",
    "--no-annotate",
    "--no-emit-index-url",
    "--quiet",
    "--custom-compile-command=make lock",
)
_LAYER = "layers/tollgate/requirements.txt"


def compile_requirements(uv: str, source: str, target: str, *options: str) -> None:
    """Write ``target`` from ``source``."""
    print(f"· {target}", flush=True)
    command = [uv, "pip", "compile", *_COMMON, *options, f"requirements/{source}.in", "-o", target]
    subprocess.run(command, cwd=ROOT, check=True)


def main() -> None:
    """The layer comes last: its versions are those that the tests run with."""
    tools = BUILD / "lock"
    if not tools.exists():
        subprocess.run([sys.executable, "-m", "venv", str(tools)], check=True)
        subprocess.run([str(tools / "bin" / "pip"), "install", "--quiet", f"uv=={_UV}"], check=True)
    uv = str(tools / "bin" / "uv")
    compile_requirements(uv, "dev", "requirements/dev.txt", "--generate-hashes")
    compile_requirements(uv, "ministack", "requirements/ministack.txt", "--generate-hashes")
    compile_requirements(uv, "layer", _LAYER, "--constraints=requirements/dev.txt")


if __name__ == "__main__":
    main()
