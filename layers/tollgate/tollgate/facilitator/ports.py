"""What settling needs of the outside, as Protocols; wiring knows who fills them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tollgate.chain.evm import Preparation, Receipt, RelayerState, Use
from tollgate.ledger.room import Room
from tollgate.ledger.settlement_items import DailyCap, OpenSlot, RelayerQueue, Settlement, SignedBytes, Slot
from tollgate.payment.identity import PaymentId
from tollgate.payment.networks import Asset, NetworkInfo
from tollgate.payment.settlement import Confirmed, Failed, SettleRequest
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Bytes32, Network

# Unix seconds.
Clock = Callable[[], float]
Sleep = Callable[[float], None]


class SettleChain(Protocol):
    """One network, with the right to hand it signed bytes. Timeouts are seconds.

    Every method raises ``ChainUnavailable``, except ``wait_receipt``.
    """

    def prepare(
        self, asset: Asset, a: Authorization, signature: bytes, relayer: Address, timeout: float
    ) -> Preparation:
        """Simulation, nonce, balance, head, the relayer's mined nonce and fees, in one batch."""

    def transaction_count(self, address: Address, timeout: float) -> int:
        """The relayer's mined nonce."""

    def relayer_state(self, relayer: Address, timeout: float) -> RelayerState:
        """The relayer's mined nonce and gas, the head and fees, in one batch."""

    def balances(self, addresses: Sequence[Address], timeout: float) -> list[int]:
        """Native balances in wei."""

    def broadcast(self, raw: bytes, timeout: float) -> Receipt | None:
        """Hand over signed bytes. Raises ``BroadcastRefused`` as well."""

    def receipt(self, transactions: Sequence[Bytes32], timeout: float) -> Receipt | None:
        """The receipt of whichever of ``transactions`` is mined."""

    def wait_receipt(
        self, transactions: Sequence[Bytes32], deadline: float, clock: Clock, sleep: Sleep
    ) -> Receipt | None:
        """Poll for the receipt of any of ``transactions`` until ``deadline`` on ``clock``."""

    def block_hash_at(self, number: int, timeout: float, expected: Bytes32 | None = None) -> Bytes32 | None:
        """The hash of the block at that height, ``None`` above the node's head; another than ``expected`` only when
        enough endpoints say so."""

    def find_use(self, asset: Asset, a: Authorization, from_block: int, timeout: float) -> Use:
        """What became of the authorization."""


class Signer(Protocol):
    """Holds one relayer's key."""

    def address(self) -> Address:
        """The account that the key controls."""

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest: 65 bytes r || s || v, low s, v of 27 or 28."""


class SettlementLedger(Protocol):
    """The settlements and the relayers' nonces; see ``ledger/settlements.py`` for what each promises."""

    def get(self, payment: PaymentId) -> Settlement | None:
        """Read one settlement, consistently."""

    def queue(self, network: Network, relayer: Address) -> RelayerQueue:
        """What was last seen of a relayer's nonces: a guess, good enough to choose by."""

    def reserve(
        self,
        request: SettleRequest,
        relayer: Address,
        chain_nonce: int,
        owner: str,
        lease_until: int,
        *,
        room: Room,
        asked_twice: bool = False,
        cap: DailyCap | None = None,
    ) -> Settlement:
        """Reserve a relayer's next nonce.

        Raises ``KnownSettlement``, ``NonceTaken``, ``FarAhead``, ``NoRoom``, ``CapReached``.
        """

    def store_bytes(self, settlement: Settlement, signed: SignedBytes, *, filler: bool) -> Settlement:
        """RESERVED → SIGNED; the first stored bytes win."""

    def replace_bytes(self, key: str, standing: SignedBytes, newer: SignedBytes) -> SignedBytes:
        """A further version in the place of ``standing``; the first that is stored wins. Raises ``LostRace``."""

    def conclude(self, settlement: Settlement, outcome: Confirmed | Failed, now: int) -> Settlement:
        """SIGNED → CONFIRMED or FAILED."""

    def record(self, request: SettleRequest, outcome: Confirmed | Failed, now: int) -> Settlement:
        """Write down a payment that had ended before it was first brought here."""

    def reopen(self, settlement: Settlement, now: int) -> Settlement | None:
        """CONFIRMED → SIGNED, or forgotten: the block of the proof is gone. Raises ``LostRace``."""

    def count_revert(self, settlement: Settlement, transaction: Bytes32, now: int) -> Settlement:
        """A transaction of ours mined and reverted: counted once."""

    def slots(self, network: Network, relayer: Address, nonces: range) -> list[OpenSlot]:
        """What stands at each of at most 100 nonces, in order."""

    def fill_hole(self, slot: Slot, signed: SignedBytes, *, orphan_of: str | None = None) -> SignedBytes:
        """Store bytes for a nonce that nobody reserved; the first stored bytes win."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One network as this facilitator settles on it: only ``asset``, nothing else (threat 61)."""

    info: NetworkInfo
    asset: Asset
    chain: SettleChain


Lanes = Mapping[Network, Lane]
