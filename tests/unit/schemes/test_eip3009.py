"""EIP-3009: digest and signature against eth-account, calldata against eth_abi, proofs by hand."""

import random
from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from tollgate.errors import Refusal
from tollgate.payment.networks import NETWORKS, Asset
from tollgate.schemes.exact import eip3009
from tollgate.schemes.logs import Log
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import UINT256_MAX, Address, Bytes32, Network
from tollgate.wire.reasons import Reason

RANDOM = random.Random(3009)
BASE_SEPOLIA = NETWORKS[Network(84532)]
USDC = BASE_SEPOLIA.asset("USDC")
FIELDS = [
    "from:address",
    "to:address",
    "value:uint256",
    "validAfter:uint256",
    "validBefore:uint256",
    "nonce:bytes32",
]


def _number() -> int:
    return RANDOM.choice([0, 1, RANDOM.randrange(10**12), RANDOM.randrange(2**256), UINT256_MAX])


def _authorization(payer: Address | None = None) -> Authorization:
    return Authorization(
        from_=payer or Address(RANDOM.randbytes(20)),
        to=Address(RANDOM.randbytes(20)),
        value=_number(),
        valid_after=_number(),
        valid_before=_number(),
        nonce=Bytes32(RANDOM.randbytes(32)),
    )


def _typed_data(asset: Asset, network: Network, a: Authorization) -> dict[str, Any]:
    return {
        "primaryType": "TransferWithAuthorization",
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "TransferWithAuthorization": [dict(zip(("name", "type"), f.split(":"), strict=True)) for f in FIELDS],
        },
        "domain": {
            "name": asset.name,
            "version": asset.version,
            "chainId": network.chain_id,
            "verifyingContract": str(asset.address),
        },
        "message": {
            "from": str(a.from_),
            "to": str(a.to),
            "value": a.value,
            "validAfter": a.valid_after,
            "validBefore": a.valid_before,
            "nonce": a.nonce.raw,
        },
    }


def test_signatures_of_eth_account_are_accepted_on_every_network() -> None:
    """Digest and recovery at once, for many random authorizations; the extremes of uint256 included."""
    pairs = [(info.network, asset) for info in NETWORKS.values() for asset in info.assets]
    for network, asset in pairs * 4:
        account = Account.from_key(RANDOM.randbytes(32))
        a = _authorization(Address.parse(account.address))
        signed = account.sign_message(encode_typed_data(full_message=_typed_data(asset, network, a)))
        assert eip3009.digest(asset, network, a) == signed.message_hash
        eip3009.check_signature(asset, network, a, signed.signature)


def _signed() -> tuple[Authorization, bytes]:
    account = Account.from_key(RANDOM.randbytes(32))
    a = replace(_authorization(Address.parse(account.address)), value=10_000)
    message = encode_typed_data(full_message=_typed_data(USDC, BASE_SEPOLIA.network, a))
    return a, bytes(account.sign_message(message).signature)


def _refused(asset: Asset, network: Network, a: Authorization, signature: bytes) -> bool:
    try:
        eip3009.check_signature(asset, network, a, signature)
    except Refusal as refusal:
        return refusal.reason is Reason.SIGNATURE
    return False


def test_the_signature_binds_every_field_the_token_and_the_network() -> None:
    """Change any one of them: refused with the signature's reason."""
    a, signature = _signed()
    assert not _refused(USDC, BASE_SEPOLIA.network, a, signature)
    changed = [
        replace(a, from_=Address(bytes(20))),
        replace(a, to=Address(bytes(20))),
        replace(a, value=a.value + 1),
        replace(a, valid_after=a.valid_after ^ 1),
        replace(a, valid_before=a.valid_before ^ 1),
        replace(a, nonce=Bytes32(bytes(32))),
    ]
    assert all(_refused(USDC, BASE_SEPOLIA.network, other, signature) for other in changed)
    assert _refused(USDC, Network(8453), a, signature)
    for asset in (
        replace(USDC, name="USD Coin"),
        replace(USDC, version="1"),
        replace(USDC, address=Address(bytes(20))),
    ):
        assert _refused(asset, BASE_SEPOLIA.network, a, signature)


def test_a09_a_signature_that_the_token_would_not_take_is_refused_with_its_reason() -> None:
    """Malleable twin, Electrum's v, compact form, empty: never a crash, always the spec's code."""
    a, signature = _signed()
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = (order - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    bad = [
        signature[:32] + high + bytes([55 - signature[64]]),
        signature[:64] + bytes([signature[64] - 27]),
        signature[:64],
        signature + b"\x00",
        bytes(65),
        b"",
    ]
    assert all(_refused(USDC, BASE_SEPOLIA.network, a, s) for s in bad)


def test_the_pinned_domains_are_those_of_the_deployed_tokens() -> None:
    """What DOMAIN_SEPARATOR() answers on Base ("USD Coin") and on Base Sepolia ("USDC")."""
    base = NETWORKS[Network(8453)]
    assert (
        eip3009.domain_separator(base.asset("USDC"), base.network).hex()
        == "02fa7265e7c5d81118673727957699e4d68f74cd74b7db77da710fe8a2c7834f"
    )
    assert (
        eip3009.domain_separator(USDC, BASE_SEPOLIA.network).hex()
        == "71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818"
    )


def test_transfer_calldata_is_what_eth_abi_encodes() -> None:
    """Selector and words of the v, r, s overload, for random values."""
    types = ["address", "address", "uint256", "uint256", "uint256", "bytes32", "uint8", "bytes32", "bytes32"]
    selector = keccak(text=f"transferWithAuthorization({','.join(types)})")[:4]
    for _ in range(50):
        a = _authorization()
        r, s, v = RANDOM.randbytes(32), RANDOM.randbytes(32), RANDOM.choice([27, 28])
        words = [str(a.from_), str(a.to), a.value, a.valid_after, a.valid_before, a.nonce.raw, v, r, s]
        assert eip3009.transfer_calldata(a, r + s + bytes([v])) == selector + encode(types, words)
    assert selector.hex() == "e3ee160e"


def test_transfer_calldata_needs_a_signature_of_65_bytes() -> None:
    """Anything else would be read as other words."""
    with pytest.raises(ValueError, match="65 bytes"):
        eip3009.transfer_calldata(_authorization(), bytes(64))


def test_view_calldata_is_what_eth_abi_encodes() -> None:
    """authorizationState, balanceOf and DOMAIN_SEPARATOR."""
    payer, nonce = Address(RANDOM.randbytes(20)), Bytes32(RANDOM.randbytes(32))
    state = keccak(text="authorizationState(address,bytes32)")[:4] + encode(
        ["address", "bytes32"], [str(payer), nonce.raw]
    )
    assert eip3009.authorization_state_calldata(payer, nonce) == state
    balance = keccak(text="balanceOf(address)")[:4] + encode(["address"], [str(payer)])
    assert eip3009.balance_calldata(payer) == balance
    assert eip3009.DOMAIN_SEPARATOR_CALLDATA.hex() == "3644e515"


def test_topics_are_those_of_usdc() -> None:
    """Well-known values, as block explorers show them."""
    assert eip3009.AUTHORIZATION_USED_TOPIC.hex() == "98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5"
    assert keccak(text="AuthorizationCanceled(address,bytes32)") == eip3009.AUTHORIZATION_CANCELED_TOPIC
    assert eip3009.TRANSFER_TOPIC.hex() == "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


A = replace(_authorization(), value=10_000)
TX, BLOCK = Bytes32(b"t" * 32), Bytes32(b"b" * 32)


def _log(index: int, topics: tuple[bytes, ...], data: bytes = b"", **other: Any) -> Log:
    return replace(Log(USDC.address, topics, data, index, TX, 7, BLOCK), **other)


def _used(index: int, nonce: Bytes32 = A.nonce, **other: Any) -> Log:
    return _log(index, (eip3009.AUTHORIZATION_USED_TOPIC, eip3009.address_word(A.from_), nonce.raw), **other)


def _transfer(index: int, value: int = 10_000, to: Address = A.to, payer: Address = A.from_, **other: Any) -> Log:
    topics = (eip3009.TRANSFER_TOPIC, eip3009.address_word(payer), eip3009.address_word(to))
    return _log(index, topics, value.to_bytes(32, "big"), **other)


def test_the_transfer_that_directly_follows_the_use_is_the_proof() -> None:
    """Wherever the pair stands in the block."""
    logs = [_transfer(3), _used(4), _transfer(5)]
    assert eip3009.find_transfer(logs, USDC.address, A) == logs[2]


def test_a_batch_of_equal_payments_has_one_proof_each() -> None:
    """Same parties, same amount, two nonces in one transaction: each finds its own log."""
    other = replace(A, nonce=Bytes32(b"o" * 32))
    logs = [_used(0, other.nonce), _transfer(1), _used(2), _transfer(3)]
    first = eip3009.find_transfer(logs, USDC.address, other)
    second = eip3009.find_transfer(logs, USDC.address, A)
    assert (first, second) == (logs[1], logs[3])


_STRANGER = Address(b"s" * 20)
NO_PROOF: dict[str, list[Log]] = {
    "nothing happened": [],
    "a use without a transfer": [_used(0)],
    "a transfer without a use": [_transfer(1)],
    "the transfer comes first": [_transfer(0), _used(1)],
    "another log stands between": [_used(0), _used(1, Bytes32(bytes(32))), _transfer(2)],
    "one unit too little (threat 55: fee on transfer)": [_used(0), _transfer(1, value=9_999)],
    "one unit too much": [_used(0), _transfer(1, value=10_001)],
    "another receiver": [_used(0), _transfer(1, to=_STRANGER)],
    "another payer": [_used(0), _transfer(1, payer=_STRANGER)],
    "another nonce": [_used(0, Bytes32(bytes(32))), _transfer(1)],
    "the use comes from another contract": [_used(0, address=_STRANGER), _transfer(1)],
    "the transfer comes from another contract": [_used(0), _transfer(1, address=_STRANGER)],
    "both come from another contract": [_used(0, address=_STRANGER), _transfer(1, address=_STRANGER)],
    "the transfer is in another transaction": [_used(0), _transfer(1, transaction=Bytes32(bytes(32)))],
    "the transfer is in another block": [_used(0), _transfer(1, block_hash=Bytes32(bytes(32)))],
    "the value has two words": [_used(0), replace(_transfer(1), data=(10_000).to_bytes(64, "big"))],
    "the value is indexed": [
        _used(0),
        replace(_transfer(1), topics=(*_transfer(1).topics, bytes(32)), data=b""),
    ],
    "cancelled (threat 52)": [
        _log(0, (eip3009.AUTHORIZATION_CANCELED_TOPIC, eip3009.address_word(A.from_), A.nonce.raw)),
        _transfer(1),
    ],
}


@pytest.mark.parametrize("logs", NO_PROOF.values(), ids=NO_PROOF.keys())
def test_a52_a55_anything_else_proves_nothing(logs: list[Log]) -> None:
    """Rule 4: the pair, adjacent, exact, from the pinned token."""
    assert eip3009.find_transfer(logs, USDC.address, A) is None


def test_a_later_pair_counts_after_a_use_that_had_no_transfer() -> None:
    """A hostile log order cannot hide the real pair."""
    logs = [_used(0), _used(5), _transfer(6)]
    assert eip3009.find_transfer(logs, USDC.address, A) == logs[2]
