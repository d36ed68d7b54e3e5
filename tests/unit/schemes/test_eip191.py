"""The personal_sign digest, against eth-account."""

import pytest
from eth_account.messages import _hash_eip191_message, encode_defunct

from tollgate.schemes.eip191 import personal_digest


@pytest.mark.parametrize(
    "text", ["", "a", "x" * 9, "x" * 10, "x" * 1000, "Zahlung für ünïcödé 💶", "two\nlines\r\n\x19"]
)
def test_the_digest_is_the_one_that_wallets_sign(text: str) -> None:
    """The prefix counts bytes: a text of accents and emoji tells."""
    assert personal_digest(text) == _hash_eip191_message(encode_defunct(text=text))
