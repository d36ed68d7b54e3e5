"""A paid call from offer to receipt, and every way in which it must not be charged."""

import dataclasses

import pytest

from tests.support.buyer import decode, encode
from tests.support.upstream import answers, slowly
from tests.support.world import BASE_URL, ELSEWHERE, PRICE, World, body_of, receipt_of
from tollgate.payment.events import Event
from tollgate.payment.routes import PreviousPrice
from tollgate.payment.states import State

IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"


def test_an_unpaid_request_gets_the_offer_and_writes_nothing(world: World) -> None:
    """402 with the offer in the header, and the upstream stays idle."""
    answer = world.request()
    assert answer.status == 402
    assert answer.header("cache-control") == "private, no-store"
    header = answer.header("payment-required")
    assert header is not None
    offer = decode(header)
    assert offer["resource"]["url"] == f"{BASE_URL}/weather/paris"
    assert offer["accepts"][0]["amount"] == str(PRICE)
    assert world.upstream.runs == 0


def test_a_paid_call_is_served_settled_and_booked_once(world: World) -> None:
    """200 with the body and the receipt; the money is in the seller's wallet."""
    buyer = world.buyer()
    before = world.chain.balance(world.offer()["accepts"][0]["payTo"])
    payment = world.sign(buyer, world.offer())
    answer = world.request(payment=payment)
    assert (answer.status, answer.body) == (200, b"sunny")
    receipt = receipt_of(answer)
    assert receipt["success"] is True
    assert receipt["payer"] == buyer.address
    assert world.chain.balance(world.offer()["accepts"][0]["payTo"]) == before + PRICE
    row = world.row("RCT", payment)
    assert row is not None
    assert row["transaction"] == receipt["transaction"]
    assert world.revenue() == (PRICE, 1)
    assert answer.header("cache-control") == "private, no-store"


def test_a35_the_same_payment_again_gets_the_stored_answer(world: World) -> None:
    """A resend with the bound identifier, from anywhere: same body, same transaction, no second run."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    first = world.request(payment=payment)
    again = world.request(payment=payment, source=ELSEWHERE)
    assert (again.status, again.body) == (200, b"sunny")
    assert receipt_of(again) == receipt_of(first)
    assert world.upstream.runs == 1
    assert world.sent() == 1
    assert world.revenue() == (PRICE, 1)


def test_a_resend_from_the_same_address_is_admitted_three_times(world: World) -> None:
    """Rule 6 without an identifier: three answers, then 409 naming the transaction."""
    payment = world.sign(world.buyer(), world.offer())
    first = receipt_of(world.request(payment=payment))
    statuses = [world.request(payment=payment).status for _ in range(4)]
    assert statuses == [200, 200, 200, 409]
    last = body_of(world.request(payment=payment))
    assert last["details"]["transaction"] == first["transaction"]


def test_the_address_admits_nobody_after_fifteen_minutes_or_when_switched_off(world: World) -> None:
    """Rule 6: within 15 minutes, and not behind a CDN."""
    payment = world.sign(world.buyer(), world.offer())
    world.request(payment=payment)
    world.skew += 901
    assert world.request(payment=payment).status == 409
    world.skew -= 901
    world.by_address = False
    world.gateway = world.make_gateway()
    assert world.request(payment=payment).status == 409


def test_a16_a_cheap_payment_buys_nothing_dear(world: World) -> None:
    """Requirements come from the server's own table."""
    dear = dataclasses.replace(world.requirements, amount=PRICE * 100)
    world.routes.append(world.route("dear", "GET", "/dear", accepts=(dear,)))
    answer = world.request("/dear", payment=world.sign(world.buyer(), world.offer()))
    assert answer.status == 402
    assert body_of(answer)["error"] == "no_matching_requirements"
    assert world.upstream.runs == 0
    assert world.sent() == 0


def test_exact_means_equal_not_at_least(world: World) -> None:
    """An authorization over more than the price is refused, not kept."""
    payment = world.sign(world.buyer(), world.offer(), value=str(PRICE + 1))
    answer = world.request(payment=payment)
    assert body_of(answer)["error"] == "invalid_exact_evm_payload_authorization_value_mismatch"
    assert world.upstream.runs == 0


def test_a17_a_sibling_at_the_same_price_is_another_resource(world: World) -> None:
    """A payment that names one route does not pay another; a settled one is 409 there."""
    payment = world.sign(world.buyer(), world.offer())
    assert body_of(world.request("/forecast/paris", payment=payment))["error"] == "resource_mismatch"
    del payment["resource"]
    assert world.request(payment=payment).status == 200
    assert world.request("/forecast/paris", payment=payment).status == 409
    assert world.upstream.runs == 1


@pytest.mark.parametrize("change", [{"query": "units=f"}, {"path": "/weather/rome"}])
def test_a20_another_query_or_path_is_another_request(world: World, change: dict[str, str]) -> None:
    """The fingerprint covers what is forwarded."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    assert world.request(payment=payment).status == 200
    path = change.get("path", "/weather/paris")
    assert world.request(path, payment=payment, query=change.get("query", "")).status == 409
    assert world.upstream.runs == 1


def test_a22_another_body_is_another_request(world: World) -> None:
    """A paid question cannot be swapped."""
    payment = world.sign(world.buyer(), world.offer("/ask", method="POST"), identifier=IDENTIFIER)
    assert world.request("/ask", payment=payment, method="POST", body=b"one").status == 200
    assert world.request("/ask", payment=payment, method="POST", body=b"two").status == 409
    assert world.upstream.seen[0][3] == b"one"


def test_a18_altered_terms_are_refused_before_anything_is_asked_of_the_chain(world: World) -> None:
    """Each field of ``accepted`` has to be ours."""
    for field, value in {
        "payTo": "0x" + "11" * 20,
        "maxTimeoutSeconds": 61,
        "amount": "9999",
        "extra": {"name": "USD Coin", "version": "2"},
    }.items():
        offer = world.offer()
        payment = world.sign(world.buyer(), offer)
        payment["accepted"] = {**payment["accepted"], field: value}
        answer = world.request(payment=payment)
        assert (answer.status, body_of(answer)["error"]) == (402, "no_matching_requirements"), field
    assert world.payment(payment) is None


def test_a40_a_forged_signature_claims_nothing(world: World) -> None:
    """Signature first: no item, no upstream, and the spec's reason."""
    payment = world.sign(world.buyer(), world.offer())
    payment["payload"]["authorization"]["from"] = world.buyer().address
    answer = world.request(payment=payment)
    assert (answer.status, body_of(answer)["error"]) == (402, "invalid_exact_evm_payload_signature")
    assert world.payment(payment) is None


def test_a9_the_malleable_twin_of_a_settled_payment_is_no_payment(world: World) -> None:
    """High s is what no token accepts; and the identity would be the same anyway."""
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    payment = world.sign(world.buyer(), world.offer())
    assert world.request(payment=payment).status == 200
    raw = bytes.fromhex(payment["payload"]["signature"][2:])
    twin = raw[:32] + (order - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big") + bytes([55 - raw[64]])
    payment["payload"]["signature"] = "0x" + twin.hex()
    assert world.request(payment=payment).status == 402
    assert world.upstream.runs == 1


def test_an_empty_wallet_is_refused(world: World) -> None:
    """The reason of the specification."""
    buyer = world.buyer()
    payment = world.sign(buyer, world.offer())
    world.chain.send("drain(address)", buyer.address)
    answer = world.request(payment=payment)
    assert (answer.status, body_of(answer)["error"]) == (402, "insufficient_funds")


def test_a44_a_payment_that_would_expire_before_it_settles_is_refused(world: World) -> None:
    """It must outlive the upstream's time and settlement."""
    soon = str(int(world.clock()) + 10)
    answer = world.request(payment=world.sign(world.buyer(), world.offer(), validBefore=soon))
    assert body_of(answer)["error"] == "invalid_exact_evm_payload_authorization_valid_before"


def test_a45_a_payment_that_lives_for_days_is_refused(world: World) -> None:
    """maxTimeoutSeconds is a promise in both directions."""
    later = str(int(world.clock()) + 86_400)
    answer = world.request(payment=world.sign(world.buyer(), world.offer(), validBefore=later))
    assert body_of(answer)["error"] == "authorization_lifetime_too_long"


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_a82_an_upstream_error_is_passed_through_and_not_charged(world: World, status: int) -> None:
    """No PAYMENT-RESPONSE, no transaction; the same payment again gets an offer."""
    world.upstream.behave(answers(status, b"sorry"))
    payment = world.sign(world.buyer(), world.offer())
    answer = world.request(payment=payment)
    assert (answer.status, answer.body) == (status, b"sorry")
    assert answer.header("payment-response") is None
    assert world.sent() == 0
    again = world.request(payment=payment)
    assert (again.status, body_of(again)["error"]) == (402, "payment_released")
    assert world.upstream.runs == 1


@pytest.mark.parametrize(
    ("status", "headers"), [(302, {"Location": "http://169.254.169.254/"}), (402, {}), (304, {}), (206, {})]
)
def test_a92_a34_an_upstream_redirect_402_or_part_is_502_and_not_charged(
    world: World, status: int, headers: dict[str, str]
) -> None:
    """None is followed, and nothing of them reaches the buyer."""
    world.upstream.behave(answers(status, b"", headers))
    answer = world.request(payment=world.sign(world.buyer(), world.offer()))
    assert answer.status == 502
    assert answer.header("location") is None
    assert world.sent() == 0


def test_a_slow_upstream_is_504_and_not_charged(world: World) -> None:
    """The route's timeout holds."""
    route = world.routes[0]
    world.routes[0] = dataclasses.replace(route, upstream=dataclasses.replace(route.upstream, timeout_seconds=0.5))
    world.upstream.behave(slowly(1.5))
    payment = world.sign(world.buyer(), world.offer())
    answer = world.request(payment=payment)
    assert answer.status == 504
    released = world.payment(payment)
    assert released is not None
    assert released.state is State.RELEASED
    assert world.sent() == 0


def test_a24_the_previous_price_stays_acceptable_for_a_while(world: World) -> None:
    """Rule 8: until the cache time and maxTimeoutSeconds are over, then a fresh offer."""
    payment, late = (world.sign(world.buyer(), world.offer()) for _ in range(2))
    dearer = dataclasses.replace(world.requirements, amount=PRICE * 2)
    until = int(world.clock()) + 120
    world.routes[0] = dataclasses.replace(
        world.routes[0], accepts=(dearer,), previous=(PreviousPrice(world.requirements, until),)
    )
    assert world.offer()["accepts"][0]["amount"] == str(PRICE * 2)
    assert world.request(payment=payment).status == 200
    world.skew += 121
    assert body_of(world.request(payment=late))["error"] == "no_matching_requirements"


def test_a69_a_network_whose_relayer_has_no_gas_is_not_offered(world: World) -> None:
    """Nothing payable is an honest 503, not an offer that cannot be kept."""
    world.has_gas = False
    answer = world.request()
    assert answer.status == 503
    assert answer.header("payment-required") is None


def test_a27_a_new_payment_under_a_used_identifier_is_409_and_not_charged(world: World) -> None:
    """A buyer who retries from scratch with the identifier does not pay twice."""
    buyer = world.buyer()
    assert world.request(payment=world.sign(buyer, world.offer(), identifier=IDENTIFIER)).status == 200
    second = world.sign(buyer, world.offer(), identifier=IDENTIFIER)
    answer = world.request(payment=second)
    assert answer.status == 409
    assert answer.header("payment-required") is None
    assert world.payment(second) is None
    world.chain.send("drain(address)", buyer.address)
    assert world.request(payment=world.sign(buyer, world.offer(), identifier=IDENTIFIER)).status == 409


def test_a15_a_changed_echo_of_an_extension_is_refused(world: World) -> None:
    """What we advertised has to come back as it was."""
    payment = world.sign(world.buyer(), world.offer())
    payment["extensions"]["payment-identifier"]["info"]["required"] = True
    assert body_of(world.request(payment=payment))["error"] == "extension_echo_mismatch"


def test_malformed_payments_are_400_and_unknown_routes_404(world: World) -> None:
    """Clear, machine-readable, before anything is written."""
    answer = world.request(payment="not base64!")
    assert (answer.status, body_of(answer)["code"]) == (400, "payment_header_not_base64")
    assert world.request("/elsewhere").status == 404
    assert world.request("/weather/paris", method="DELETE").status == 405
    assert world.request("/weather/paris", payment="A" * 9000).status == 431
    payment = encode(world.sign(world.buyer(), world.offer("/ask", method="POST")))
    big = world.request("/ask", method="POST", payment=payment, body=b"x" * (4 * 1024 * 1024 + 1))
    assert big.status == 413
    assert world.upstream.runs == 0


def test_a30_head_gets_the_challenge_and_buys_nothing(world: World) -> None:
    """An unpaid HEAD is the GET's 402; a paid one is 405."""
    assert world.request(method="HEAD").status == 402
    payment = world.sign(world.buyer(), world.offer())
    refused = world.request(method="HEAD", payment=payment)
    assert (refused.status, refused.header("allow")) == (405, "GET")
    assert world.payment(payment) is None


def test_a31_options_is_free_and_runs_nothing(world: World) -> None:
    """A preflight is never priced."""
    assert world.request(method="OPTIONS").status == 204
    assert world.upstream.runs == 0


def test_a90_payment_headers_never_reach_the_upstream(world: World) -> None:
    """Nor does the identifier."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    world.request(payment=payment, authorization="Bearer x", accept="text/plain")
    sent = {name.lower(): value for name, value in world.upstream.seen[0][2].items()}
    assert sent["accept"] == "text/plain"
    assert "payment-signature" not in sent
    assert "authorization" not in sent
    assert IDENTIFIER not in str(sent)


def test_an_offer_counts_as_an_event(world: World) -> None:
    """The fixed vocabulary is used."""
    world.request()
    assert world.diary.count(Event.OFFER_MADE) == 1
