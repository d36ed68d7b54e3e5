"""EIP-3009 as the ``exact`` scheme uses it: what the payer signed, the call that spends it, its proof.

Encoded by hand: every type is static, so an encoding is the words one after another. Selectors and
topics are computed from their signatures (https://eips.ethereum.org/EIPS/eip-3009) at import.
"""

from collections.abc import Sequence
from functools import lru_cache

from tollgate.errors import Refusal
from tollgate.payment.networks import Asset
from tollgate.payment.settlement import TransferSeen
from tollgate.schemes.logs import Log
from tollgate.schemes.secp256k1 import recover_address
from tollgate.wire.keccak import keccak256
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Bytes32, Network
from tollgate.wire.reasons import Reason

_DOMAIN_TYPE = keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_TRANSFER_TYPE = keccak256(
    b"TransferWithAuthorization(address from,address to,uint256 value,"
    b"uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)

_TRANSFER_SELECTOR = keccak256(
    b"transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)"
)[:4]
_STATE_SELECTOR = keccak256(b"authorizationState(address,bytes32)")[:4]
_BALANCE_SELECTOR = keccak256(b"balanceOf(address)")[:4]
DOMAIN_SEPARATOR_CALLDATA = keccak256(b"DOMAIN_SEPARATOR()")[:4]

AUTHORIZATION_USED_TOPIC = keccak256(b"AuthorizationUsed(address,bytes32)")
AUTHORIZATION_CANCELED_TOPIC = keccak256(b"AuthorizationCanceled(address,bytes32)")
TRANSFER_TOPIC = keccak256(b"Transfer(address,address,uint256)")

# The limit of a settlement on a network without gas for data; NetworkInfo.data_gas comes on top. One
# transferWithAuthorization takes 86,230 gas on USDC and 65,528 on OpenZeppelin's ERC3009, and about 17,000 more
# when the recipient had nothing before. It is also the guard against a token that would burn gas (threat 63).
TRANSFER_GAS = 160_000


def address_word(address: Address) -> bytes:
    """An address as a 32-byte word: in calldata, and as an indexed topic."""
    return bytes(12) + address.raw


def _uint(value: int) -> bytes:
    return value.to_bytes(32, "big")


@lru_cache(maxsize=64)
def domain_separator(asset: Asset, network: Network) -> bytes:
    """The token's EIP-712 domain separator, from the pinned domain (32 bytes)."""
    return keccak256(
        _DOMAIN_TYPE
        + keccak256(asset.name.encode())
        + keccak256(asset.version.encode())
        + _uint(network.chain_id)
        + address_word(asset.address)
    )


def _words(a: Authorization) -> bytes:
    return (
        address_word(a.from_)
        + address_word(a.to)
        + _uint(a.value)
        + _uint(a.valid_after)
        + _uint(a.valid_before)
        + a.nonce.raw
    )


def digest(asset: Asset, network: Network, a: Authorization) -> bytes:
    """The 32-byte EIP-712 digest that the payer signs. Amounts and times must fit in 256 bits."""
    return keccak256(b"\x19\x01" + domain_separator(asset, network) + keccak256(_TRANSFER_TYPE + _words(a)))


def check_signature(asset: Asset, network: Network, a: Authorization, signature: bytes) -> None:
    """Raise ``Refusal(SIGNATURE)`` unless ``a.from_`` itself signed ``a`` for this token and network."""
    try:
        signer = recover_address(digest(asset, network, a), signature)
    except ValueError as error:
        raise Refusal(Reason.SIGNATURE, f"the signature is not usable: {error}") from error
    if signer != a.from_:
        raise Refusal(Reason.SIGNATURE, "the authorization was not signed by its payer")


def transfer_calldata(a: Authorization, signature: bytes) -> bytes:
    """Calldata of ``transferWithAuthorization``, in the v, r, s overload that every EIP-3009 token has.

    Raises ``ValueError`` unless the signature has 65 bytes.
    """
    if len(signature) != 65:
        raise ValueError("a signature has 65 bytes")
    return _TRANSFER_SELECTOR + _words(a) + _uint(signature[64]) + signature[:32] + signature[32:64]


def authorization_state_calldata(payer: Address, nonce: Bytes32) -> bytes:
    """Calldata of ``authorizationState``: true once the nonce was used *or cancelled* (threat 52)."""
    return _STATE_SELECTOR + address_word(payer) + nonce.raw


def balance_calldata(owner: Address) -> bytes:
    """Calldata of ``balanceOf``."""
    return _BALANCE_SELECTOR + address_word(owner)


def is_use(log: Log, asset_address: Address, payer: Address, nonce: Bytes32) -> bool:
    """Whether ``log`` is the token's ``AuthorizationUsed(payer, nonce)``."""
    return _about(log, AUTHORIZATION_USED_TOPIC, asset_address, payer, nonce)


def is_cancellation(log: Log, asset_address: Address, payer: Address, nonce: Bytes32) -> bool:
    """Whether ``log`` is the token's ``AuthorizationCanceled(payer, nonce)``."""
    return _about(log, AUTHORIZATION_CANCELED_TOPIC, asset_address, payer, nonce)


def _about(log: Log, topic: bytes, asset_address: Address, payer: Address, nonce: Bytes32) -> bool:
    return log.address == asset_address and log.topics == (topic, address_word(payer), nonce.raw)


def read_transfer(log: Log, asset_address: Address) -> TransferSeen | None:
    """What a ``Transfer`` of the token says; ``None`` for any other log."""
    if log.address != asset_address or len(log.topics) != 3 or log.topics[0] != TRANSFER_TOPIC or len(log.data) != 32:
        return None
    return TransferSeen(
        from_=Address(log.topics[1][12:]),
        to=Address(log.topics[2][12:]),
        value=int.from_bytes(log.data, "big"),
        transaction=log.transaction,
        log_index=log.log_index,
        block_number=log.block_number,
    )


def authorization_before(logs: Sequence[Log], transfer: TransferSeen, asset_address: Address) -> Bytes32 | None:
    """The nonce of the ``AuthorizationUsed`` by the sender that directly precedes a transfer, if one does."""
    for log in logs:
        if (
            (log.transaction, log.log_index, log.address)
            == (transfer.transaction, transfer.log_index - 1, asset_address)
            and len(log.topics) == 3
            and log.topics[:2] == (AUTHORIZATION_USED_TOPIC, address_word(transfer.from_))
        ):
            return Bytes32(log.topics[2])
    return None


def find_transfer(logs: Sequence[Log], asset_address: Address, a: Authorization) -> Log | None:
    """The ``Transfer`` that proves ``a`` was paid, or ``None``.

    It must directly follow ``AuthorizationUsed(payer, nonce)`` in the same transaction, come from
    the same token, and carry exactly from, to and value. A batch may hold other payments of the
    same amount between the same parties: only adjacency tells them apart (rule 4).
    """
    wanted = (TRANSFER_TOPIC, address_word(a.from_), address_word(a.to))
    at = {(log.transaction, log.log_index): log for log in logs}
    for used in logs:
        if not is_use(used, asset_address, a.from_, a.nonce):
            continue
        log = at.get((used.transaction, used.log_index + 1))
        if (
            log is not None
            and log.address == asset_address
            and log.topics == wanted
            and log.data == _uint(a.value)
            and log.block_hash == used.block_hash
        ):
            return log
    return None
