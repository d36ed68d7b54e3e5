"""Bodies too big for an item of the table: in S3, put before the transaction that moves to SETTLING (rule 7).

A key holds the payment's fence, so that whoever takes a payment over never overwrites what its
first owner kept. A crash between the two writes leaves an object that no item names: the bucket's
lifecycle removes it.
"""

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from tollgate.errors import TollgateError
from tollgate.payment.record import KeptBody, Payment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Up to here status, headers and body stand in the table: one write less, and far below an item's 400 kB.
INLINE_ANSWER_BYTES = 64 * 1024


class AnswersUnavailable(TollgateError):
    """The store of big answers gave no usable answer; what it holds is not known. The text names no key."""


class AnswerLost(TollgateError):
    """The kept body is not there, or is not the one that was kept; ``why`` is ``missing`` or ``altered``."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the kept answer is {why}")
        self.why = why


class Bodies(Protocol):
    """Where big bodies are kept."""

    def put(self, kept: KeptBody, body: bytes) -> None:
        """Keep a body. Raises ``AnswersUnavailable``: then it may be there or not."""

    def get(self, key: str) -> bytes | None:
        """The bytes under a key, or ``None`` when there are none. Raises ``AnswersUnavailable``."""


def describe(payment: Payment, body: bytes) -> KeptBody:
    """Where a payment's body is kept, and how it is known again."""
    return KeptBody(f"answers/{payment.id.digest}/{payment.fence}", hashlib.sha256(body).hexdigest(), len(body))


def read_body(bodies: Bodies, kept: KeptBody) -> bytes:
    """The kept body, byte for byte. Raises ``AnswerLost`` or ``AnswersUnavailable``."""
    body = bodies.get(kept.key)
    if body is None:
        raise AnswerLost("missing")
    if len(body) != kept.size or hashlib.sha256(body).hexdigest() != kept.sha256:
        raise AnswerLost("altered")
    return body


class S3Bodies:
    """Bodies in an S3 bucket. The client is made when the first big answer needs it: an offer takes less time."""

    def __init__(self, make_client: Callable[[], "S3Client"], bucket: str) -> None:
        self._make_client = make_client
        self._bucket = bucket
        self._made: S3Client | None = None

    def put(self, kept: KeptBody, body: bytes) -> None:
        """One PutObject, encrypted at rest; S3 compares the SHA-256 itself."""
        try:
            self._client().put_object(
                Bucket=self._bucket,
                Key=kept.key,
                Body=body,
                ContentType="application/octet-stream",
                ServerSideEncryption="AES256",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(kept.sha256)).decode(),
            )
        except (ClientError, BotoCoreError) as error:
            raise AnswersUnavailable(_name(error)) from error

    def get(self, key: str) -> bytes | None:
        """One GetObject."""
        try:
            return self._client().get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            # Only this code says so: without s3:ListBucket a missing key is AccessDenied, as a wrong role is.
            if _name(error) == "NoSuchKey":
                return None
            raise AnswersUnavailable(_name(error)) from error

    def _client(self) -> "S3Client":
        if self._made is None:
            self._made = self._make_client()
        return self._made


def _name(error: Exception) -> str:
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
