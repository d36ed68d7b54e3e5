"""What must never be in a log, and what must be."""

import json

from eth_account.signers.local import LocalAccount

from local.stack import LocalStack
from tests.e2e.http import get, signed
from tests.e2e.logs import FUNCTIONS, log_lines


def test_a104_no_signature_identifier_key_or_body_is_ever_logged(stack: LocalStack, buyer: LocalAccount) -> None:
    """One paid call, its resend, a refused one and a failing upstream; then every function's whole log."""
    payment = signed(stack, buyer, "/echo", method="POST", body=b"the-paid-question")
    first = get(stack, "/echo", payment, method="POST", body=b"the-paid-question")
    assert first.status == 200
    assert get(stack, "/echo", payment, method="POST", body=b"the-paid-question").status == 200
    assert get(stack, "/echo", payment, method="POST", body=b"another").status == 409
    assert get(stack, "/fail", signed(stack, buyer, "/fail")).status == 500
    stack.reconcile()
    signature = payment["payload"]["signature"]
    secrets = {
        "signature": signature[2:66],
        "identifier": payment["extensions"]["payment-identifier"]["info"]["id"],
        "body": "the-paid-question",
        "RPC": stack.gate.url,
    }
    for function in FUNCTIONS:
        text = "\n".join(log_lines(stack, function))
        assert text
        for name, secret in secrets.items():
            assert secret not in text, f"{function} logged the {name}"
        for raw in stack.gate.broadcasts:
            assert raw[2:] not in text


def test_the_life_of_a_payment_can_be_read_from_the_log(stack: LocalStack, buyer: LocalAccount) -> None:
    """One id through every event, from the claim to the books; each event is also a metric."""
    payment = signed(stack, buyer, "/weather/oslo")
    assert get(stack, "/weather/oslo", payment).status == 200
    lines = log_lines(stack, "proxy") + log_lines(stack, "settle")
    events = [json.loads(line) for line in lines if line.lstrip().startswith("{")]
    named = [event for event in events if event.get("message") == "payment.settled"]
    id = named[-1]["payment"]
    story = {event["message"] for event in events if event.get("payment") == id}
    assert story >= {
        "payment.claimed",
        "payment.settling",
        "settlement.reserved",
        "settlement.signed",
        "settlement.broadcast",
        "settlement.confirmed",
        "payment.settled",
    }
    assert any("_aws" in event and "payment.settled" in event for event in events)
