"""F1-F5, F7, F8, F10-F14 and S5: a facilitator's /verify, /settle and /supported, on a real chain."""

from collections.abc import Callable
from typing import Any

from tests.conformance.facilitator import Message, Settling, cancel, overtake
from tests.conformance.shop import Problems, problems

PENDING = "settlement_pending"


def _refused(answer: Message) -> bool:
    return answer.get("isValid") is False and bool(answer.get("invalidReason"))


def _settled(answer: Message) -> bool:
    return answer.get("success") is True and len(str(answer.get("transaction"))) == 66


def _valid(facilitator: Settling) -> tuple[Message, Message]:
    requirements = facilitator.requirements()
    return facilitator.payment(requirements), requirements


# Amounts that Python's int() reads as 10000 and that are no atomic units.
_LENIENT: list[Any] = [" 10000 ", "+10000", "10_000", "010000", "\uff11\uff10\uff10\uff10\uff10", "10000\n", 10000]


def check_F1(facilitator: Settling) -> Problems:
    """A malformed payment is not valid, and neither is an amount that is not in plain atomic units."""
    payment, requirements = _valid(facilitator)
    malformed: list[Any] = [
        {},
        {**payment, "payload": None},
        {**payment, "payload": {"signature": payment["payload"]["signature"]}},
        {**payment, "payload": {**payment["payload"], "signature": "0xzz"}},
    ]
    wrong = [f"{bad!r:.60} is not valid" for bad in malformed if not _refused(facilitator.verify(bad, requirements))]
    for amount in _LENIENT:
        lenient = {**requirements, "amount": amount}
        signed = facilitator.payment(requirements)
        signed["accepted"] = lenient
        if not _refused(facilitator.verify(signed, lenient)):
            wrong.append(f"an amount of {amount!r} is required of nobody")
        payload = facilitator.payment(requirements)
        payload["payload"]["authorization"]["value"] = amount
        if not _refused(facilitator.verify(payload, requirements)):
            wrong.append(f"a value of {amount!r} pays nothing")
    return wrong + problems(a_good_one_is_valid=facilitator.verify(payment, requirements).get("isValid") is True)


def check_F2(facilitator: Settling) -> Problems:
    """Less than the requirement is refused, whatever was accepted."""
    requirements = facilitator.requirements()
    dust = facilitator.payment(requirements, value="1")
    cheaper = facilitator.payment({**requirements, "amount": "1"})
    return problems(
        dust_is_not_valid=_refused(facilitator.verify(dust, requirements)),
        accepted_dust_is_not_valid=_refused(facilitator.verify(cheaper, requirements)),
        dust_is_not_settled=not _settled(facilitator.settle(dust, requirements)),
    )


def check_F3(facilitator: Settling) -> Problems:
    """The same payload settled twice is one transaction, and one seller's.

    The suite wants ``duplicate_settlement`` for the second call. Here the seller that asked first is told the same
    success again, with the same transaction, since its first answer may have been lost and official servers do ask
    again; anybody else gets ``duplicate_settlement``, also on other terms (threat 39).
    """
    payment, requirements = _valid(facilitator)
    before = facilitator.transactions()
    facilitator.chain.stop_mining()
    try:
        early = [facilitator.settle(payment, requirements) for _ in range(2)]
        sent = facilitator.transactions() - before
    finally:
        _go_on(facilitator)
    late = [facilitator.settle(payment, requirements) for _ in range(2)]
    other = facilitator.settle(payment, requirements, other_seller=True)
    named = {answer.get("transaction") for answer in early + late if answer.get("transaction")}
    return problems(
        one_transaction=sent == 1 and facilitator.transactions() - before == 1,
        always_the_same_one=len(named) == 1,
        the_other_seller_is_told_of_a_duplicate=other.get("errorReason") == "duplicate_settlement",
        and_of_no_success=not _settled(other),
    )


def _go_on(facilitator: Settling) -> None:
    facilitator.chain.mine_at_once()
    facilitator.chain.mine()


def check_F4(facilitator: Settling) -> Problems:
    """A used nonce in another authorization is rejected, and costs no gas."""
    requirements = facilitator.requirements()
    buyer = facilitator.chain.funded_account()
    first = facilitator.payment(requirements, buyer)
    settled = facilitator.settle(first, requirements)
    a = first["payload"]["authorization"]
    replay = facilitator.payment(
        requirements, buyer, nonce=a["nonce"], validAfter="1", validBefore=str(int(a["validBefore"]) - 1)
    )
    before = facilitator.transactions()
    again = facilitator.settle(replay, requirements)
    return problems(
        the_first_is_settled=_settled(settled),
        the_replay_is_not_valid=_refused(facilitator.verify(replay, requirements)),
        the_replay_is_not_settled=not _settled(again),
        no_gas_is_spent=facilitator.transactions() == before,
    )


def check_F5(facilitator: Settling) -> Problems:
    """Not mined is no success; ``settlement_pending`` names a transaction and a network."""
    payment, requirements = _valid(facilitator)
    facilitator.chain.stop_mining()
    try:
        told = facilitator.settle(payment, requirements)
    finally:
        _go_on(facilitator)
    return problems(
        no_success=told.get("success") is False,
        is_pending=told.get("errorReason") == PENDING,
        names_a_transaction=len(str(told.get("transaction"))) == 66,
        names_the_network=told.get("network") == requirements["network"],
    )


def check_F7(facilitator: Settling) -> Problems:
    """A pending settlement asked for again reaches its end: one transaction, credited once."""
    payment, requirements = _valid(facilitator)
    before = facilitator.chain.balance(requirements["payTo"])
    facilitator.chain.stop_mining()
    try:
        pending = facilitator.settle(payment, requirements)
    finally:
        _go_on(facilitator)
    again = [facilitator.settle(payment, requirements) for _ in range(2)]
    credited = {answer["transaction"] for answer in [pending, *again] if _settled(answer)}
    return problems(
        was_pending=pending.get("errorReason") == PENDING,
        reaches_its_end=_settled(again[0]),
        it_is_the_one_that_was_named=credited == {pending.get("transaction")},
        paid_once=facilitator.chain.balance(requirements["payTo"]) == before + int(requirements["amount"]),
    )


def check_F8(facilitator: Settling) -> Problems:
    """A failure that the chain confirms after ``settlement_pending`` is an end, and stays one.

    On EVM the failure is final when the authorization was cancelled, at the depth at which that cannot go away again.
    """
    requirements = facilitator.requirements()
    buyer = facilitator.chain.funded_account()
    payment = facilitator.payment(requirements, buyer)
    facilitator.chain.give_gas(buyer.address)
    facilitator.chain.stop_mining()
    try:
        pending = facilitator.settle(payment, requirements)
        overtake(facilitator.chain, str(pending["transaction"]), lambda: cancel(facilitator.chain, buyer, payment))
    finally:
        _go_on(facilitator)
    facilitator.chain.mine(facilitator.chain.info.confirmations + 1)
    again = [facilitator.settle(payment, requirements) for _ in range(3)]
    return problems(
        was_pending=pending.get("errorReason") == PENDING,
        ends_as_a_failure=all(answer.get("success") is False for answer in again),
        with_a_reason_that_is_final=all(answer.get("errorReason") not in (None, "", PENDING) for answer in again),
    )


def check_F10(facilitator: Settling) -> Problems:
    """What was settled under some requirements is rejected under others, even at the same price.

    The suite varies the resource, which no requirement of v2 names: two routes of one seller at one price and on one
    set of terms are one business to a facilitator, and telling them apart is the seller's claim (R11, R2). What a
    requirement does name is varied here, and ``accepted`` altered to match or left as it was.
    """
    payment, requirements = _valid(facilitator)
    settled = facilitator.settle(payment, requirements)
    wrong = problems(the_first_is_settled=_settled(settled))
    for change in ({"maxTimeoutSeconds": 61}, {"payTo": "0x" + "12" * 20}, {"amount": "9999"}):
        other = {**requirements, **change}
        for presented in (payment, {**payment, "accepted": other}):
            wrong += problems(
                not_valid_under_others=_refused(facilitator.verify(presented, other)),
                not_settled_under_others=not _settled(facilitator.settle(presented, other)),
            )
    return wrong


def check_F11(facilitator: Settling) -> Problems:
    """/verify commits nothing: verified twice, the payment still settles, once."""
    payment, requirements = _valid(facilitator)
    before = facilitator.transactions()
    verified = [facilitator.verify(payment, requirements) for _ in range(2)]
    settled = facilitator.settle(payment, requirements)
    return problems(
        valid_twice=all(answer.get("isValid") is True for answer in verified),
        settles=_settled(settled),
        once=facilitator.transactions() == before + 1,
    )


def check_F12(facilitator: Settling) -> Problems:
    """A network that is not supported, or an asset without code, is not valid, and the reason is said."""
    wrong: Problems = []
    for change in ({"network": "eip155:424242"}, {"asset": "0x" + "c0" * 20}):
        requirements = facilitator.requirements(**change)
        answer = facilitator.verify(facilitator.payment(requirements), requirements)
        if not _refused(answer):
            wrong.append(f"{next(iter(change))} is refused with a reason")
    return wrong


def _substituted(facilitator: Settling, change: Message) -> Problems:
    requirements = facilitator.requirements()
    payment = facilitator.payment({**requirements, **change})
    payment["accepted"] = requirements
    before = facilitator.transactions()
    return problems(
        not_valid=_refused(facilitator.verify(payment, requirements)),
        not_settled=not _settled(facilitator.settle(payment, requirements)),
        no_gas_is_spent=facilitator.transactions() == before,
    )


def check_F13(facilitator: Settling) -> Problems:
    """A payment signed for another token is rejected, although amount and recipient are right."""
    return _substituted(facilitator, {"asset": "0x" + "36" * 20})


def check_F14(facilitator: Settling) -> Problems:
    """A payment signed for another chain is rejected, although amount, recipient and token are right."""
    return _substituted(facilitator, {"network": "eip155:8453"})


def check_S5(facilitator: Settling) -> Problems:
    """Every kind that /supported names gets a structured answer of /verify."""
    kinds = facilitator.supported().get("kinds", [])
    wrong = problems(some_kind_is_supported=bool(kinds))
    for kind in kinds:
        if kind["x402Version"] != 2:
            continue
        requirements = facilitator.requirements(scheme=kind["scheme"], network=kind["network"])
        try:
            answer = facilitator.verify(facilitator.payment(requirements), requirements)
        except Exception as error:
            wrong.append(f"{kind['network']} is answered ({type(error).__name__})")
            continue
        if answer.get("isValid") is not True and not _refused(answer):
            wrong.append(f"{kind['network']} is valid, or the reason is said")
    return wrong


CHECKS: dict[str, Callable[[Settling], Problems]] = {
    "F1": check_F1,
    "F2": check_F2,
    "F3": check_F3,
    "F4": check_F4,
    "F5": check_F5,
    "F7": check_F7,
    "F8": check_F8,
    "F10": check_F10,
    "F11": check_F11,
    "F12": check_F12,
    "F13": check_F13,
    "F14": check_F14,
    "S5": check_S5,
}
