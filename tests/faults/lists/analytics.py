"""The sums of analytics, events, and the stream that they are made from."""

from tests.faults.sabotage import Sabotage

_TALLIES = "tests/contract/ledger/test_tallies.py::"
_WEBHOOKS = "tests/contract/test_webhooks.py::"
_RECORDS = "tests/unit/edge/test_stream_records.py::"

SABOTAGES = (
    Sabotage(
        "a payment that another counter has just counted is counted again",
        "ledger/tallies.py",
        'condition = "counted = :was" if counted else "attribute_not_exists(pk)"',
        'condition = "counted = :was OR attribute_exists(pk)" if counted else None',
        _TALLIES + "test_two_counters_at_once_count_one_payment_once",
    ),
    Sabotage(
        "a record that comes again is counted again",
        "payment/tally.py",
        "if name is None or index < counted:",
        "if name is None:",
        _TALLIES + "test_a98_the_sums_are_the_ledgers_whatever_comes_twice_or_dies",
    ),
    Sabotage(
        "what is sent back of money for nothing counts as a refund of revenue",
        "payment/tally.py",
        'if name == "refunded" and before == State.PAID_UNSERVED:',
        "if False:",
        _TALLIES + "test_what_comes_back_of_money_for_nothing_is_no_refund",
    ),
    Sabotage(
        "an owner sees what everybody's routes earned",
        "gateway/analytics.py",
        "None if owner is None else owner.lower",
        "None",
        "tests/contract/gateway/test_analytics.py::test_a102_an_owner_sees_what_the_own_routes_earned_and_nobody_elses",
    ),
    Sabotage(
        "an event that the bus did not take is lost",
        "edge/event_bus.py",
        'if not entry.get("EventId")',
        "if False",
        "tests/contract/test_event_bus.py::test_events_that_a_bus_did_not_take_are_put_again_and_only_those",
    ),
    Sabotage(
        "a webhook's redirect is taken for delivered",
        "gateway/webhooks.py",
        "if not 200 <= answer.status < 300:",
        "if not 200 <= answer.status < 400:",
        _WEBHOOKS + "test_only_a_2xx_is_taken_for_delivered",
    ),
    Sabotage(
        "an owner's events go to whoever is named first",
        "gateway/webhooks.py",
        "return self.by_owner.get(owner) or self.by_owner.get(DEFAULT)",
        "return next(iter(self.by_owner.values()), None)",
        _WEBHOOKS + "test_a103_an_event_goes_to_its_owner_and_to_nobody_else",
    ),
    Sabotage(
        "a record that cannot be read is lost without a word",
        "edge/stream_records.py",
        "        return found, unreadable\n",
        "        return found, None\n",
        _RECORDS + "test_a_record_that_cannot_be_read_stops_the_batch_there_and_not_before",
    ),
)
