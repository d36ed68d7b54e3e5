"""The webhooks' composition root: a queue, a secret, and the HTTP of upstreams."""

import os
import random
import time

import boto3
from aws_lambda_powertools import Logger, Metrics

from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.edge.webhook_queue import WebhookQueue
from tollgate.gateway.upstream import HttpUpstream
from tollgate.gateway.webhooks import MAX_ANSWER_BYTES, Webhooks
from tollgate.settings import read_webhook_settings
from tollgate.wiring.shared import AWS, SecretReader


def make_webhooks(logger: Logger, metrics: Metrics) -> WebhookQueue:
    """Over the queue. Raises ``ConfigurationError`` naming what is missing."""
    settings = read_webhook_settings(os.environ)
    secrets = SecretReader()
    # What is dialed is the receiver's URL; no header of it is a secret.
    http = HttpUpstream(
        allow_private=settings.allow_private,
        clock=time.monotonic,
        secrets=secrets.get,
        max_answer_bytes=MAX_ANSWER_BYTES,
    )

    def secret() -> str:
        return secrets.get(settings.secret) if settings.secret else ""

    webhooks = Webhooks(secret, http, time.time, PowertoolsJournal(logger, metrics))
    return WebhookQueue(webhooks, boto3.client("sqs", config=AWS), settings.queue_url, random.random)
