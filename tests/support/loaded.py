"""One function's code in this process, and what is switched so that it believes to be alone in a Lambda runtime.

While ``switched`` is in force, ``os.environ``, ``boto3.client`` and ``time.sleep`` ask which handler call the
running thread is in; outside of one they are what they always were. The clocks are moved for all.
"""

import contextlib
import importlib.util
import io
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import boto3
import urllib3
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from tests.support.aws_calls import AwsCall, RpcCall, needs

Trace = list[AwsCall | RpcCall]


@dataclass(slots=True)
class LoadedFunction:
    """A function with its variables; ``load`` is a cold start."""

    name: str
    file: Path
    environment: Mapping[str, str]
    timeout: int
    trace: Trace
    module: ModuleType | None = None
    session: boto3.Session | None = None
    logs: io.StringIO = field(default_factory=io.StringIO)
    metrics: list[dict[str, Any]] = field(default_factory=list)

    def load(self) -> None:
        """Import app.py anew, as a cold start does: nothing of an earlier one is left."""
        self.session = boto3.Session()
        self.session.events.register("before-parameter-build", self._note)
        # Powertools keeps its loggers by service, with the stream that they were first made with.
        logging.Logger.manager.loggerDict.pop(self.environment["POWERTOOLS_SERVICE_NAME"], None)
        spec = importlib.util.spec_from_file_location(f"loaded_{self.name}", self.file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if hasattr(module, "logger"):
            module.logger.registered_handler.setStream(self.logs)
        if hasattr(module, "metrics"):
            # Powertools shares one set among all of a process: two functions in one would send each other's.
            provider = module.metrics.provider
            provider.metric_set, provider.dimension_set, provider.metadata_set = {}, {}, {}
        self.module = module

    def lines(self) -> list[dict[str, Any]]:
        """What it logged, without the metrics."""
        return [json.loads(line) for line in self.logs.getvalue().splitlines() if line.startswith("{")]

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        run = running.get()
        assert run is not None, f"{self.name} called {model.name} outside of a handler call"
        service = model.service_model.service_name
        self.trace.append(AwsCall(self.name, run.number, service, model.name, needs(service, model.name, params)))


@dataclass(frozen=True, slots=True)
class Run:
    """The handler call that a thread is in."""

    function: LoadedFunction
    number: int


running: ContextVar[Run | None] = ContextVar("running", default=None)


class _Environment(MutableMapping[str, str]):
    def __init__(self, real: MutableMapping[str, str]) -> None:
        self._real = real

    def _now(self) -> Any:
        run = running.get()
        return self._real if run is None else run.function.environment

    def __getitem__(self, name: str) -> str:
        value: str = self._now()[name]
        return value

    def __setitem__(self, name: str, value: str) -> None:
        self._now()[name] = value

    def __delitem__(self, name: str) -> None:
        del self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def copy(self) -> dict[str, str]:
        """As ``os.environ.copy`` does."""
        return dict(self)


@dataclass(slots=True)
class Clock:
    """How far time is moved ahead, in seconds; ``patient`` code really sleeps, other code moves the clock instead."""

    skew: float
    patient: bool


@contextlib.contextmanager
def switched(rpc_url: str, trace: Trace, moved: Clock) -> Iterator[None]:
    """Give every handler call its own environment and boto3 session, note what it asks the chain, move the clock."""
    environ, make_client, clock, ticks, sleep = os.environ, boto3.client, time.time, time.monotonic, time.sleep
    urlopen = urllib3.connectionpool.HTTPConnectionPool.urlopen
    serialize = AmazonCloudWatchEMFProvider.serialize_metric_set
    chain = urlsplit(rpc_url).netloc

    def client_of(*arguments: Any, **named: Any) -> Any:
        run = running.get()
        if run is None:
            return make_client(*arguments, **named)  # type: ignore[call-overload]
        assert run.function.session is not None
        return run.function.session.client(*arguments, **named)  # type: ignore[call-overload]

    def pass_time(seconds: float) -> None:
        if moved.patient or running.get() is None:
            sleep(seconds)
        else:
            moved.skew += seconds

    def noted(pool: Any, method: str, url: str, body: Any = None, *rest: Any, **named: Any) -> Any:
        run = running.get()
        if run is not None and f"{pool.host}:{pool.port}" == chain:
            said = json.loads(body)
            methods = [call["method"] for call in (said if isinstance(said, list) else [said])]
            trace.append(RpcCall(run.function.name, run.number, tuple(methods)))
        return urlopen(pool, method, url, body, *rest, **named)

    def kept(provider: Any, *arguments: Any, **named: Any) -> Any:
        said = serialize(provider, *arguments, **named)
        run = running.get()
        if run is not None:
            run.function.metrics.append(dict(said))
        return said

    os.environ = _Environment(environ)  # type: ignore[assignment]  # noqa: B003 - only what Python code reads
    boto3.client = client_of
    time.time = lambda: clock() + moved.skew
    time.monotonic = lambda: ticks() + moved.skew
    time.sleep = pass_time
    urllib3.connectionpool.HTTPConnectionPool.urlopen = noted  # type: ignore[method-assign]
    AmazonCloudWatchEMFProvider.serialize_metric_set = kept  # type: ignore[method-assign]
    try:
        yield
    finally:
        os.environ, boto3.client = environ, make_client
        time.time, time.monotonic, time.sleep = clock, ticks, sleep
        urllib3.connectionpool.HTTPConnectionPool.urlopen = urlopen  # type: ignore[method-assign]
        AmazonCloudWatchEMFProvider.serialize_metric_set = serialize  # type: ignore[method-assign]
