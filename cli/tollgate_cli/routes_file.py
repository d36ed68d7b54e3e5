"""A routes.yaml to routes: every problem at once, nothing half-read (examples/routes.yaml has the shape)."""

from dataclasses import dataclass
from pathlib import Path

from tollgate.gateway.declaring.facts import StackFacts
from tollgate.gateway.declaring.problems import Findings, Problem, WrongFile
from tollgate.gateway.declaring.routes import read_routes
from tollgate.payment.routes import Route
from tollgate_cli.json_schemas import JsonSchemas
from tollgate_cli.yaml_tree import MAX_FILE_BYTES, read_yaml


@dataclass(frozen=True, slots=True)
class RoutesFile:
    """A file without problems; ``notes`` are what only a stack can decide."""

    routes: tuple[Route, ...]
    notes: tuple[Problem, ...]


def read_routes_file(path: Path, facts: StackFacts) -> RoutesFile:
    """Read and check a file. Raises ``WrongFile`` with every problem in it."""
    file = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WrongFile(file, [Problem(1, "", f"cannot be read: {error.strerror}")]) from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise WrongFile(file, [Problem(line, "", "is not UTF-8")]) from error
    if len(data) > MAX_FILE_BYTES:
        raise WrongFile(file, [Problem(1, "", f"is over {MAX_FILE_BYTES} bytes")])
    findings = Findings()
    routes = read_routes(read_yaml(text, file, findings), facts, JsonSchemas(), findings)
    if findings.problems:
        raise WrongFile(file, findings.problems)
    return RoutesFile(routes, tuple(findings.notes))
