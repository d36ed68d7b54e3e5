"""Megabytes on disk: of a directory, and of installed distributions with all that they require."""

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

MB = 1_000_000

# What the managed Python runtimes have beside the standard library.
_RUNTIME = ("boto3", "awslambdaric")


def of_directory(directory: Path, *, bytecode: bool = True) -> float:
    """Everything in it; optionally without ``.pyc``."""
    files = (path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files if bytecode or path.suffix != ".pyc") / MB


def of_distributions(*names: str, extras: Mapping[str, tuple[str, ...]] | None = None) -> float:
    """The files of installed distributions and of everything that they require, without bytecode."""
    return sum(_own_size(name) for name in closure(*names, extras=extras)) / MB


def closure(*names: str, extras: Mapping[str, tuple[str, ...]] | None = None) -> set[str]:
    """The names of distributions and of all that they require here, extras only where they are asked for."""
    wanted = [(canonicalize_name(name), (extras or {}).get(name, ())) for name in names]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while wanted:
        one = wanted.pop()
        if one in seen:
            continue
        seen.add(one)
        name, chosen = one
        for text in metadata.distribution(name).requires or ():
            requirement = Requirement(text)
            marker = requirement.marker
            environments = [{"extra": extra} for extra in chosen] or [{"extra": ""}]
            if marker is None or any(marker.evaluate(environment) for environment in environments):
                wanted.append((canonicalize_name(requirement.name), tuple(sorted(requirement.extras))))
    return {name for name, _ in seen}


def runtime_packages(scratch: Path) -> Path:
    """A directory with nothing but boto3 and what it requires: links to this checkout's own."""
    for name in closure(*_RUNTIME):
        distribution = metadata.distribution(name)
        for file in distribution.files or ():
            top = file.parts[0]
            source = Path(str(distribution.locate_file(top)))
            link = scratch / top
            if top not in ("..", "__pycache__") and source.exists() and not link.exists():
                link.symlink_to(source)
    return scratch


def _own_size(name: str) -> int:
    files = metadata.distribution(name).files or ()
    paths = (Path(str(file.locate())) for file in files if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file())
