"""The rest of the outside: the relayer's key, the upstream, S3, and Lambda's Invoke of settle."""

import io
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from tests.support.fakes.effects import Effects
from tollgate.chain.signer import LocalSigner
from tollgate.gateway.upstream import FailureKind, UpstreamAnswer, UpstreamFailed
from tollgate.payment.routes import UpstreamTarget
from tollgate.wire.primitives import Address


@lru_cache(maxsize=8192)
def signature(key: bytes, digest: bytes) -> bytes:
    """A signature of a local key: the same every time (RFC 6979), so worlds that repeat it need not wait for it."""
    return local_signer(key).sign(digest)


@lru_cache(maxsize=256)
def local_signer(key: bytes) -> LocalSigner:
    """A key in memory."""
    return LocalSigner(key)


class FakeSigner:
    """A relayer's real secp256k1 key; each signature is an effect."""

    def __init__(self, key: bytes, effects: Effects) -> None:
        self._key = key
        self._effects = effects
        self.signatures = 0

    def address(self) -> Address:
        """The account that the key controls."""
        return local_signer(self._key).address()

    def sign(self, digest: bytes) -> bytes:
        """Sign, as KMS would."""

        def act() -> bytes:
            self.signatures += 1
            return signature(self._key, digest)

        return self._effects.perform("sign", digest.hex()[:8], act, _kms_error)


class FakeUpstream:
    """What is sold. ``answer`` may be replaced: by another answer, or by a failure to raise.

    Every body is different, so that one that leaked or was served twice can be told.
    """

    def __init__(self, effects: Effects, sleep: Callable[[float], None]) -> None:
        self._effects = effects
        self._sleep = sleep
        self.status = 200
        self.failure: FailureKind | None = None
        self.seconds = 0.1
        self.padding = 0
        # The payment (its digest) of every run, and of those whose answer was a 2xx, with its body.
        self.runs: list[str] = []
        self.served: list[tuple[str, bytes]] = []

    def fetch(
        self,
        target: UpstreamTarget,
        params: Mapping[str, str],
        method: str,
        raw_query: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout: float,
    ) -> UpstreamAnswer:
        """One run. Raises ``UpstreamFailed``."""

        def run() -> UpstreamAnswer:
            process = self._effects.current()
            paid_by = process.runs if process else ""
            self.runs.append(paid_by)
            number = len(self.runs)
            self._sleep(min(self.seconds, timeout))
            if self.failure is not None:
                raise UpstreamFailed(self.failure)
            if self.seconds > timeout:
                raise UpstreamFailed(FailureKind.TIMEOUT)
            text = f"paid-body-{number}-".encode() + b"x" * self.padding
            if 200 <= self.status < 300:
                self.served.append((paid_by, text))
            return UpstreamAnswer(self.status, (("content-type", "text/plain"),), text)

        return self._effects.perform("fetch", f"{method} {target.url}", run)


class FakeS3:
    """A bucket; the two calls that big answers need."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:
        """PutObject."""
        self._effects.perform("s3", f"PutObject {Key}", lambda: self.objects.update({Key: Body}), _s3_error)
        return {}

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        """GetObject."""
        self._effects.step("s3", f"GetObject {Key}")
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no such key"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Key])}


class FakeLambda:
    """Lambda's Invoke with a read timeout in seconds: ``call`` is another process, given the event and that timeout.

    It returns what the function returned, or ``None`` when it failed or died.
    """

    def __init__(
        self, effects: Effects, call: Callable[[dict[str, Any], float], dict[str, Any] | None], read_timeout: float
    ) -> None:
        self._effects = effects
        self._call = call
        self._read_timeout = read_timeout

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        """A synchronous Invoke."""
        event: dict[str, Any] = json.loads(Payload)
        answer = self._effects.perform(
            "invoke", f"{FunctionName} {event.get('op')}", lambda: self._call(event, self._read_timeout), _lambda_error
        )
        if answer is None:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b"{}")}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


def _kms_error(_fault: str) -> Exception:
    return ClientError({"Error": {"Code": "KMSInternalException", "Message": "try again"}}, "Sign")


def _s3_error(fault: str) -> Exception:
    if fault == "lost":
        return ReadTimeoutError(endpoint_url="https://s3.test")
    return ClientError({"Error": {"Code": "SlowDown", "Message": "slow down"}}, "PutObject")


def _lambda_error(fault: str) -> Exception:
    if fault == "lost":
        return ReadTimeoutError(endpoint_url="https://lambda.test")
    return ConnectTimeoutError(endpoint_url="https://lambda.test")
