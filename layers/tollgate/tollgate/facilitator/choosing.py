"""Which relayer a new settlement is given to. What is known keeps its own: its nonce is that relayer's."""

from tollgate.chain.evm import Preparation
from tollgate.errors import ChainUnavailable
from tollgate.facilitator.call import Call
from tollgate.facilitator.fees import Fees
from tollgate.facilitator.ports import Clock, SettlementLedger
from tollgate.facilitator.relayers import Relayers
from tollgate.facilitator.verdicts import budget
from tollgate.schemes.exact.eip3009 import TRANSFER_GAS
from tollgate.wire.primitives import Address

# A dead reservation is signed by another after some 25 s, bytes that do not mine are replaced after 12 s or more: a
# queue that has not moved for longer is better left alone.
STUCK_SECONDS = 30.0


class RelayerChoice:
    """One payment's choice: its own relayer, unless that has no gas or its queue is stuck and another is better.

    A preference only: whoever is chosen, the reservation is what decides. Remembers what the chain said.
    """

    def __init__(
        self,
        relayers: Relayers,
        ledger: SettlementLedger,
        clock: Clock,
        call: Call,
        preparation: Preparation,
        fees: Fees,
    ) -> None:
        self._order = [signer.address() for signer in relayers.order(call.request.payment_id)]
        self._ledger = ledger
        self._clock = clock
        self._call = call
        self._cost = (TRANSFER_GAS + call.lane.info.data_gas) * fees.max_fee
        # The mined nonce and the wei of each that was asked about.
        self._seen = {self._order[0]: (preparation.chain_nonce, preparation.gas_balance)}

    def best(self) -> tuple[Address, int]:
        """The relayer, and its mined nonce. Without a better one it is the payment's own. Never raises for others'."""
        own = self._order[0]
        for relayer in self._order if len(self._order) > 1 else ():
            try:
                if self._can_take_more(relayer):
                    return relayer, self._seen[relayer][0]
            except ChainUnavailable:
                break
        return own, self._seen[own][0]

    def correct(self, relayer: Address, chain_nonce: int) -> None:
        """Asked a second time, the chain said so."""
        self._seen[relayer] = (chain_nonce, self._seen[relayer][1])

    def _can_take_more(self, relayer: Address) -> bool:
        if relayer not in self._seen:
            state = self._call.lane.chain.relayer_state(relayer, budget(self._call.until, self._clock()))
            self._seen[relayer] = (state.chain_nonce, state.gas_balance)
        chain_nonce, wei = self._seen[relayer]
        queue = self._ledger.queue(self._call.lane.info.network, relayer)
        # Nodes want the cost of all that an account has open to be there.
        enough = wei >= (queue.open(chain_nonce) + 1) * self._cost
        return enough and not queue.is_stuck(chain_nonce, self._clock(), STUCK_SECONDS)
