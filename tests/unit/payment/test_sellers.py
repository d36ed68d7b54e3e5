"""Sellers elsewhere as values: the form of keys, what is kept of them, and what a seller may have settled."""

import hmac
import json
import secrets
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.errors import ConfigurationError, Refusal
from tollgate.payment import sellers
from tollgate.payment.sellers import (
    Allowance,
    Seller,
    check_name,
    key_hash,
    name_in,
    seller_from_json,
    seller_to_json,
)
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address, Network
from tollgate.wire.reasons import Reason

NETWORK = Network(84532)
ASSET = Address(b"\x01" * 20)
PAY_TO = Address(b"\x02" * 20)
KEY = "tg_tea-shop_" + "A" * 43
SELLER = Seller("tea-shop", (PAY_TO,), (Allowance(NETWORK, ASSET, 100),), 5, (key_hash(KEY),))
REQUIREMENTS = Requirements("exact", NETWORK, 100, ASSET, PAY_TO, 60)


@pytest.mark.parametrize("name", ["a", "tea-shop", "0", "a-1-b", "x" * 32])
def test_a_key_names_its_seller(name: str) -> None:
    """And carries 43 characters that may hold the separator itself."""
    for secret in ("A" * 43, "_" * 43, "-" * 43, secrets.token_urlsafe(32)):
        assert name_in(f"tg_{name}_{secret}") == check_name(name) == name


@pytest.mark.parametrize(
    "key",
    [
        *("", "tg_", "tg__" + "A" * 43, "tg_a_" + "A" * 42, "tg_a_" + "A" * 44, "TG_a_" + "A" * 43),
        *("tg_self_" + "A" * 43, "tg_-a_" + "A" * 43, "tg_a-_" + "A" * 43, "tg_A_" + "A" * 43),
        *("tg_" + "x" * 33 + "_" + "A" * 43, "tg_a_" + "A" * 42 + "=", "tg_a_" + "A" * 43 + "\n", " tg_a_" + "A" * 43),
        *("tg_\u0661_" + "A" * 43, "tg_a_" + "\u00c4" * 43),
    ],
)
def test_what_is_no_key_names_nobody(key: str) -> None:
    """So that nothing is read for it; the stack itself has no key."""
    assert name_in(key) is None


@pytest.mark.parametrize("name", ["", "self", "refund", "A", "a_b", "-a", "a-", "a.b", "x" * 33, "a\n", "ä"])
def test_other_names_are_refused(name: str) -> None:
    """With a sentence."""
    with pytest.raises(ValueError, match="must"):
        check_name(name)


def test_a_key_is_held_by_its_hash_and_nothing_else() -> None:
    """Several keys work side by side; neither a hash nor a prefix is a key."""
    other = "tg_tea-shop_" + "B" * 43
    both = replace(SELLER, key_hashes=(key_hash(KEY), key_hash(other)))
    assert both.holds(KEY)
    assert both.holds(other)
    for wrong in ("", KEY[:-1], KEY + "A", key_hash(KEY), "tg_tea-shop_" + "C" * 43):
        assert not both.holds(wrong)
    assert not replace(SELLER, key_hashes=()).holds(KEY)


def test_hashes_are_compared_in_constant_time_and_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A match neither ends the loop nor is found by ``==``."""
    compared: list[str] = []
    real = hmac.compare_digest

    def compare(given: str, known: str) -> bool:
        compared.append(known)
        return real(given, known)

    monkeypatch.setattr(sellers.hmac, "compare_digest", compare)  # type: ignore[attr-defined]
    hashes = (key_hash(KEY), "0" * 64, "1" * 64)
    assert replace(SELLER, key_hashes=hashes).holds(KEY)
    assert compared == list(hashes)


def test_neither_key_nor_hash_is_printed() -> None:
    """Not by accident either."""
    assert key_hash(KEY) not in repr(SELLER)


@pytest.mark.parametrize(
    "changes",
    [
        {"pay_to": Address(b"\x03" * 20)},
        {"asset": Address(b"\x03" * 20)},
        {"network": Network(8453)},
        {"amount": 101},
    ],
)
def test_a61_what_is_not_allowed_is_refused(changes: dict[str, object]) -> None:
    """Each on its own; and what is, is not."""
    SELLER.check(REQUIREMENTS)
    with pytest.raises(Refusal) as refused:
        SELLER.check(replace(REQUIREMENTS, **changes))  # type: ignore[arg-type]
    assert refused.value.reason is Reason.INVALID_REQUIREMENTS


def test_a61_default_deny() -> None:
    """Empty lists allow nothing."""
    for empty in (replace(SELLER, pay_to=()), replace(SELLER, allowances=())):
        with pytest.raises(Refusal):
            empty.check(REQUIREMENTS)


@given(
    st.lists(st.binary(min_size=20, max_size=20), max_size=3),
    st.lists(st.tuples(st.integers(1, 2**60), st.binary(min_size=20, max_size=20), st.integers(0, 2**256 - 1))),
    st.integers(0, 10**9),
    st.lists(st.binary(max_size=4)),
)
def test_a_seller_comes_back_from_its_json(
    pay_to: list[bytes], allowed: list[tuple[int, bytes, int]], per_day: int, keys: list[bytes]
) -> None:
    """Amounts and addresses exactly."""
    seller = Seller(
        "tea-shop",
        tuple(Address(raw) for raw in pay_to),
        tuple(Allowance(Network(n), Address(raw), most) for n, raw, most in allowed),
        per_day,
        tuple(key_hash(key.hex()) for key in keys),
    )
    assert seller_from_json("tea-shop", seller_to_json(seller)) == seller


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("payTo", "0x12"),
        ("payTo", None),
        ("allow", [{"network": "base", "asset": "0x" + "1" * 40, "maxAmount": "1"}]),
        ("allow", [{"network": "eip155:1", "asset": "0x" + "1" * 40, "maxAmount": 1}]),
        ("allow", [{}]),
        ("settlementsPerDay", "5"),
        ("settlementsPerDay", -1),
        ("settlementsPerDay", True),
        ("keyHashes", ["abc"]),
        ("keyHashes", [1]),
    ],
)
def test_an_item_that_anything_else_wrote_is_the_operators_problem(path: str, value: object) -> None:
    """It is never guessed at."""
    document = json.loads(seller_to_json(SELLER)) | {path: value}
    with pytest.raises(ConfigurationError, match="tea-shop that cannot be read"):
        seller_from_json("tea-shop", json.dumps(document))
    for text in ("", "[]", "null", "{}"):
        with pytest.raises(ConfigurationError):
            seller_from_json("tea-shop", text)
