"""What the enumeration of crashes holds: lines that only show when a process dies at the wrong moment."""

from tests.faults.sabotage import Sabotage

_SINGLE = "tests/crash/test_crashes.py::test_a105_any_single_crash"

SABOTAGES = (
    Sabotage(
        "in crashed worlds: bytes are broadcast that nobody stored",
        "ledger/settlements.py",
        "            return read_settlement(self._table.write(update))\n        except ConditionFailed as lost:\n"
        "            return _standing(lost.item)\n\n    def replace_bytes",
        "            from dataclasses import replace\n\n"
        "            return replace(settlement, state=SettlementState.SIGNED, signed=signed, filler=filler)\n"
        "        except ConditionFailed as lost:\n            return _standing(lost.item)\n\n    def replace_bytes",
        _SINGLE + "[happy-authorization]",
    ),
    Sabotage(
        "in crashed worlds: revenue is counted before the books",
        "ledger/books.py",
        "revenue = self._revenue(payment, 1)",
        "revenue = self._revenue(payment, 0); self._table.write(self._revenue(payment, 1))",
        _SINGLE + "[happy-authorization]",
    ),
    Sabotage(
        "in crashed worlds: a run that nobody paid for leaves no debt",
        "ledger/payments.py",
        'writes.append(Put({"pk": f"DEBT#{payment.id.digest}", **debt_row(payment, now, debt)}))',
        "pass",
        _SINGLE + "[happy-authorization]",
    ),
    Sabotage(
        "in crashed worlds: the answer is kept after settlement",
        "ledger/payments.py",
        "                    Put(answer_item(payment.id, answer, now, self._answer_seconds)),\n",
        "",
        _SINGLE + "[happy-authorization]",
    ),
    Sabotage(
        "in crashed worlds: what settles unseen is offered again",
        "edge/answers.py",
        "Kind.PENDING: Row(503, payment_response=True, retry_after=True),",
        "Kind.PENDING: Row(402, offer=True, payment_response=True),",
        _SINGLE + "[receipt_wait_lost-authorization]",
    ),
    Sabotage(
        "in crashed worlds: a dead run is begun again",
        "ledger/payments.py",
        "writes: list[Write | Check] = [Put(claim_item(claim)),",
        "writes: list[Write | Check] = [Put(claim_item(claim), None),",
        _SINGLE + "[happy-authorization]",
    ),
    Sabotage(
        "in crashed worlds: settled first, a charge without service is forgotten",
        "ledger/upfront.py",
        "State.REFUND_DUE, [update, owed], replace",
        "State.REFUND_DUE, [update], replace",
        _SINGLE + "[upstream_503-upfront]",
    ),
)
