"""Webhooks over HTTP: what a receiver gets, verifies and is asked again; and where no event is ever sent."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.paths import NODE
from tests.support.payments import NOW
from tests.support.settling import ListJournal
from tests.support.upstream import CountingUpstream, answers
from tests.template.cfn import ROOT
from tollgate.edge.webhook_queue import BACKOFF_SECONDS, WebhookQueue
from tollgate.errors import ConfigurationError
from tollgate.gateway.upstream import HttpUpstream
from tollgate.gateway.webhooks import MAX_ANSWER_BYTES, NotDelivered, Webhooks, read_endpoints
from tollgate.payment.events import Event

EVENT: dict[str, Any] = json.loads((ROOT / "events" / "webhooks_queue.json").read_text())
DETAIL: dict[str, Any] = json.loads(EVENT["Records"][0]["body"])["detail"]
NEW, OLD = "whsec_" + "bmV3" * 8, "whsec_" + "b2xk" * 8
OWNER = "0x" + "5e" * 20


class Receiver:
    """An owner's server, and the webhooks that send to it."""

    def __init__(self, *, private: bool = True, resolver: Any = None) -> None:
        self.server = CountingUpstream()
        self.journal = ListJournal()
        self.held: Any = {"default": {"url": f"{self.server.url}/hook?via=tollgate", "secrets": [NEW, OLD]}}
        more = {} if resolver is None else {"resolver": resolver}
        http = HttpUpstream(
            allow_private=private,
            clock=lambda: 0.0,
            secrets=lambda name: "",
            max_answer_bytes=MAX_ANSWER_BYTES,
            **more,
        )
        self.webhooks = Webhooks(lambda: json.dumps(self.held), http, lambda: NOW, self.journal)

    def send(self, **changes: Any) -> bool:
        return self.webhooks.deliver(DETAIL | changes, 1)

    def refused(self, **changes: Any) -> str:
        """Why an event was not delivered."""
        with pytest.raises(NotDelivered) as why:
            self.send(**changes)
        return str(why.value)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """One that takes everything."""
    made = Receiver()
    yield made
    made.server.stop()


def example(language: str) -> str:
    """The code of docs/events.md."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / "events.md").read_text(), re.DOTALL)
    return str(found)


def in_python(secret: str, headers: dict[str, str], body: bytes, now: int) -> bool:
    scope: dict[str, Any] = {}
    exec(example("python"), scope)
    found: bool = scope["verify"](secret, headers, body, now)
    return found


def in_javascript(secret: str, headers: dict[str, str], body: bytes, now: int) -> bool:
    call = "console.log(verify(...JSON.parse(process.argv[1])));"
    arguments = json.dumps([secret, headers, body.decode(), now])
    run = [str(NODE), "--input-type=module", "-e", example("js") + call, arguments]
    return subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout.strip() == "true"


@pytest.mark.parametrize("verify", [in_python, in_javascript])
def test_a103_the_documented_verification_takes_a_real_delivery_and_nothing_else(
    receiver: Receiver, verify: Callable[[str, dict[str, str], bytes, int], bool]
) -> None:
    """With the new secret and the old one; not another body, another id, another secret, or an old one again."""
    assert receiver.send()
    ((method, path, headers, body),) = receiver.server.seen
    assert (method, path) == ("POST", "/hook?via=tollgate")
    assert json.loads(body) == {"type": "payment.settled", "timestamp": "2026-11-25T10:50:19Z", "data": DETAIL}
    sent = {name.lower(): value for name, value in headers.items()}
    assert (sent["webhook-id"], sent["content-type"]) == (DETAIL["id"], "application/json")
    assert verify(NEW, sent, body, NOW)
    assert verify(OLD, sent, body, NOW + 299)
    assert not verify("whsec_" + "b3Ro" * 8, sent, body, NOW)
    assert not verify(NEW, sent, body + b" ", NOW)
    assert not verify(NEW, sent | {"webhook-id": "another"}, body, NOW)
    assert not verify(NEW, sent, body, NOW + 301)


def test_a103_an_event_goes_to_its_owner_and_to_nobody_else(receiver: Receiver) -> None:
    """The default takes what no owner of the secret owns; without it that concerns nobody."""
    receiver.held = {OWNER.upper().replace("0X", "0x"): {"url": f"{receiver.server.url}/mine", "secrets": [NEW]}}
    assert receiver.send(owner=OWNER)
    assert not receiver.send(owner="0x" + "11" * 20)
    assert not receiver.send(owner=None)
    receiver.held |= {"default": {"url": f"{receiver.server.url}/rest", "secrets": [OLD]}}
    assert receiver.send(owner="0x" + "11" * 20)
    assert [path for _, path, _, _ in receiver.server.seen] == ["/mine", "/rest"]
    receiver.held = {}
    assert not receiver.send()


@pytest.mark.parametrize("status", [301, 307, 400, 410, 500, 503])
def test_only_a_2xx_is_taken_for_delivered(receiver: Receiver, status: int) -> None:
    """A redirect is no answer, and nobody follows it."""
    receiver.server.behave(answers(status, headers={"Location": f"{receiver.server.url}/elsewhere"}))
    assert receiver.refused() == f"status_{status}"
    assert len(receiver.server.seen) == 1
    assert receiver.journal.lines[-1] == (
        Event.WEBHOOK_FAILED,
        {"id": DETAIL["id"], "attempt": 1, "why": f"status_{status}"},
    )


def test_what_a_receiver_says_at_length_is_not_read(receiver: Receiver) -> None:
    """It is asked whether it has it."""
    receiver.server.behave(answers(200, b"x" * (MAX_ANSWER_BYTES + 1)))
    assert receiver.refused() == "too_large"


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.8", "::1", "::ffff:10.0.0.8", "fd00::1"])
def test_a87_a103_no_event_is_sent_to_a_private_address(address: str) -> None:
    """By the same dialing code as an upstream: the name's addresses are checked, and it is connected to those."""
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34", address]

    receiver = Receiver(private=False, resolver=resolver)
    try:
        receiver.held = {"default": {"url": "https://owner.example/hook", "secrets": [NEW]}}
        assert receiver.refused() == "address_refused"
        literal = f"[{address}]" if ":" in address else address
        receiver.held = {"default": {"url": f"https://{literal}/hook", "secrets": [NEW]}}
        assert receiver.refused() == "address_refused"
        receiver.held = {"default": {"url": "http://owner.example/hook", "secrets": [NEW]}}
        assert receiver.refused() == "address_refused"
        assert asked == ["owner.example"]
        assert receiver.server.seen == []
    finally:
        receiver.server.stop()


def test_a104_neither_urls_nor_secrets_are_logged(receiver: Receiver) -> None:
    """Whether it goes well or not; a URL may hold a key."""
    receiver.send()
    receiver.server.behave(answers(500))
    receiver.refused()
    receiver.held = {"default": {"url": f"{receiver.server.url}/hook", "secrets": ["whsec_short"]}}
    assert receiver.refused() == "configuration"
    said = repr(receiver.journal.lines)
    assert "webhook.delivered" in said
    for secret in (receiver.server.url, "hook?", NEW, OLD, "whsec", "v1,"):
        assert secret not in said


@pytest.mark.parametrize(
    "held",
    ["[]", "{", '{"default": {}}', '{"default": {"url": "https://a.example", "secrets": []}}',
     '{"default": {"url": "https://a.example", "secrets": "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3"}}',
     '{"0x12": {"url": "https://a.example", "secrets": ["whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3"]}}',
     '{"default": {"url": "ftp://a.example", "secrets": ["whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3"]}}',
     '{"default": {"url": "https://u:p@a.example", "secrets": ["whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3"]}}',
     '{"default": {"url": 7, "secrets": ["whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3"]}}'],
)  # fmt: skip
def test_a_secret_of_another_shape_says_what_it_must_be(held: str) -> None:
    """And does not repeat what it is."""
    with pytest.raises(ConfigurationError, match="must be a JSON object from owner") as refused:
        read_endpoints(held)
    assert "a.example" not in str(refused.value)


class Delays:
    """ChangeMessageVisibility."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def change_message_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:
        self.asked.append((ReceiptHandle, VisibilityTimeout))


def test_what_is_not_taken_comes_again_later_and_later(receiver: Receiver) -> None:
    """Over hours, each a little apart from the others; what was taken does not come again."""
    delays = Delays()
    queue = WebhookQueue(receiver.webhooks, delays, "queue", lambda: 1.0)
    assert queue.consume(EVENT) == {"batchItemFailures": []}
    receiver.server.behave(answers(503))
    message = EVENT["Records"][0]
    for attempt in range(1, 9):
        again = {"Records": [message | {"attributes": {"ApproximateReceiveCount": str(attempt)}}]}
        assert queue.consume(again) == {"batchItemFailures": [{"itemIdentifier": message["messageId"]}]}
    waits = [seconds for handle, seconds in delays.asked if handle == message["receiptHandle"]]
    assert waits[:7] == [seconds + seconds // 10 for seconds in BACKOFF_SECONDS]
    assert waits == sorted(waits)
    assert max(waits) < 12 * 3_600, "SQS hides a message no longer"
