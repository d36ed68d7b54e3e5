"""What a transaction may cost. All amounts are wei per gas, limits are gas."""

from dataclasses import dataclass

# A plain transfer of nothing to oneself; NetworkInfo.data_gas comes on top, as for TRANSFER_GAS.
FILLER_GAS = 21_000
# What is offered at least, whatever the node suggests: geth's pool refuses a tip of 0.
LEAST_TIP = 1_000_000


@dataclass(frozen=True, slots=True)
class Fees:
    """EIP-1559 fees: ``max_fee`` all in all, of it at most ``tip`` to the block's producer."""

    max_fee: int
    tip: int


def choose_fees(base_fee: int, tip: int, cap: int) -> Fees | None:
    """Fees that survive six full blocks (the base fee can double in that time), never above ``cap``.

    ``None`` when the cap is below what the latest block asked: nothing sent now would mine.
    """
    if cap < base_fee:
        return None
    tip = min(tip, cap - base_fee)
    return Fees(max_fee=min(cap, 2 * base_fee + tip), tip=tip)


def raise_fees(old: Fees, market: Fees, cap: int) -> Fees | None:
    """Fees with which a pool lets a transaction take the place of one with ``old``: an eighth more on both (geth
    wants a tenth), or the ``market``'s where that is more, never above ``cap``. ``None`` when the cap forbids it.
    """
    least = Fees(max_fee=-(-old.max_fee * 9 // 8), tip=-(-old.tip * 9 // 8))
    max_fee = min(cap, max(least.max_fee, market.max_fee))
    tip = min(max_fee, max(least.tip, market.tip))
    return Fees(max_fee, tip) if max_fee >= least.max_fee and tip >= least.tip else None
