"""The platform's fee: what a route's owner owes the operator of each payment that settled.

The money goes whole from the payer to payTo (EIP-3009 names one recipient), so nothing is withheld and nobody pays
more: the fee is a debt of the owner's, written with the payment.
"""

_WHOLE = 10_000


def fee_of(amount: int, basis_points: int) -> int:
    """The fee on ``amount`` atomic units, in atomic units, rounded down: a payment too small for one owes none."""
    return amount * basis_points // _WHOLE
