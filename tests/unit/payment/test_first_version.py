"""What the first version wrote down is still read: a payment that is open while the stack is updated goes on."""

from tests.support.payments import some_claim
from tollgate.ledger.dynamo import from_dynamo, to_dynamo
from tollgate.ledger.payment_items import claim_item, read_payment
from tollgate.payment.record import Payment
from tollgate.payment.settlement import SettleRequest
from tollgate.payment.states import State


def test_a_claim_without_its_timeout_is_read() -> None:
    """It was not kept before a remote facilitator could be told of it."""
    item = from_dynamo(to_dynamo(claim_item(some_claim())))
    del item["max_timeout_seconds"]
    assert read_payment(item).settle_request().max_timeout_seconds == 60


def test_a_request_without_what_was_offered_is_read() -> None:
    """As it stands in the settlement items."""
    request = Payment(some_claim(), State.SETTLING, 1).settle_request()
    written = request.to_json()
    del written["maxTimeoutSeconds"], written["resourceUrl"]
    again = SettleRequest.from_json(written)
    assert (again.payment_id, again.max_timeout_seconds, again.resource_url) == (request.payment_id, 60, "")
