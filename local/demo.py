"""``make demo``: one paid call as it happens on the deployed local stack; 0 only if all of it did."""

import json
import sys
import time

import httpx

from local import buyer
from local.build import ToolFailed
from local.processes import StartFailed
from local.shutdown import end_on_signals
from local.stack import LocalStack

_PATH = "/weather/oslo"
_PATIENCE = 40  # seconds: API Gateway gives up after 30


class DemoFailed(Exception):
    """Something that the demo promises did not happen."""


def title(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def show(name: str, value: object) -> None:
    print(f"  {name:<18}{value}", flush=True)


def expect(fact: bool, sentence: str, answer: httpx.Response | None = None) -> None:
    """Raises ``DemoFailed``, which says what came instead."""
    if not fact:
        instead = "" if answer is None else f"\n  instead came      {answer.status_code} {answer.text[:500]}"
        raise DemoFailed(f"this did not happen: {sentence}{instead}")
    print(f"  ok: {sentence}", flush=True)


def usdc(atomic: int) -> str:
    return f"{atomic / 1_000_000:.6f} USDC"


class Demo:
    """One paid call and what may be tried with it afterwards. Every step raises ``DemoFailed``."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.url = stack.api_url + _PATH
        self.account = stack.funded_account()

    def play(self) -> None:
        self.price_a_route()
        self.ask()
        self.sign()
        self.pay()
        self.read_receipt()
        self.send_again()
        self.copy_from_chain()
        self.forge()

    def price_a_route(self) -> None:
        title("1. The seller prices a route: routes.yaml, applied with one command")
        print(self.stack.demo_routes())
        print(self.stack.apply_routes(self.stack.demo_routes()).strip().splitlines()[-1])

    def ask(self) -> None:
        title(f"2. A buyer asks without paying: GET {_PATH}")
        answer = httpx.get(self.url, timeout=_PATIENCE)
        expect(answer.status_code == 402 and "payment-required" in answer.headers, "402 Payment Required", answer)
        self.offered = answer.headers["payment-required"]
        self.offer = buyer.read_header(self.offered)["accepts"][0]
        for name in ("scheme", "network", "amount", "asset", "payTo", "maxTimeoutSeconds"):
            show(name, self.offer[name])
        expect(self.stack.upstream.runs.total() == 0, "the upstream has not run")

    def sign(self) -> None:
        title("3. The buyer signs an authorization with the official x402 SDK; nothing goes to the chain")
        self.header = buyer.pay(self.account, self.offered)
        payment = buyer.read_header(self.header)["payload"]
        for name, value in payment["authorization"].items():
            show(name, value)
        show("signature", f"{payment['signature'][:20]}... ({(len(payment['signature']) - 2) // 2} bytes)")

    def pay(self) -> None:
        title("4. The same request, paid")
        before = self._balances()
        started = time.monotonic()
        answer = self._send(self.header)
        show("answered after", f"{time.monotonic() - started:.1f} s")
        expect(answer.status_code == 200 and "payment-response" in answer.headers, "200 OK", answer)
        self.body = answer.text
        show("body", self.body)
        settled = buyer.read_header(answer.headers["payment-response"])
        self.transaction = settled["transaction"]
        show("transaction", self.transaction)
        expect(settled["success"], "settled on chain")
        expect(self.stack.upstream.runs[_PATH] == 1, "the upstream ran once")
        self.after = self._balances()
        for who, was, is_now in zip(("buyer", "seller"), before, self.after, strict=True):
            show(who, f"{usdc(was)} -> {usdc(is_now)}")
        price = int(self.offer["amount"])
        moved = self.after == (before[0] - price, before[1] + price)
        expect(moved, f"{usdc(price)} went from the buyer to the seller")

    def read_receipt(self) -> None:
        title("5. The receipt, read back from the seller's ledger")
        shown = json.loads(self.stack.tollgate("payment", "show", self.transaction, "--json"))["payments"]
        expect(len(shown) == 1 and shown[0]["payment"]["state"] == "SETTLED", "the payment is SETTLED")
        for name, value in sorted(shown[0]["receipt"].items()):
            show(name, value)

    def send_again(self) -> None:
        title("6. The same payment sent again")
        answer = self._send(self.header)
        expect(answer.status_code == 200 and answer.text == self.body, "200 with the stored answer", answer)
        self._expect_nothing_more()

    def copy_from_chain(self) -> None:
        title("7. A stranger at 127.0.0.2 rebuilds the payment from the mined transaction")
        mined = self.stack.chain.transaction(self.transaction)
        if mined is None:
            raise DemoFailed("the transaction is not on the chain")
        copied = buyer.rebuild(self.offered, mined["input"])
        theirs, ours = (json.dumps(buyer.read_header(h)["payload"]).lower() for h in (copied, self.header))
        expect(json.loads(theirs) == json.loads(ours), "authorization and signature are the buyer's own")
        answer = self._send(copied, source="127.0.0.2")
        show("answer", f"{answer.status_code} {answer.text}")
        expect(answer.status_code == 409 and self.body not in answer.text, "409: refused, without the body")
        self._expect_nothing_more()

    def forge(self) -> None:
        title("8. A forged payment: the same header with another nonce")
        answer = self._send(buyer.forge(self.header))
        offered = answer.status_code == 402 and "payment-required" in answer.headers
        expect(offered, "402: refused, with the offer", answer)
        show("reason", buyer.read_header(answer.headers["payment-required"])["error"])
        self._expect_nothing_more()

    def _send(self, header: str, source: str = "127.0.0.1") -> httpx.Response:
        with httpx.Client(transport=httpx.HTTPTransport(local_address=source), timeout=_PATIENCE) as http:
            return http.get(self.url, headers={"PAYMENT-SIGNATURE": header})

    def _balances(self) -> tuple[int, int]:
        return self.stack.chain.balance(self.account.address), self.stack.chain.balance(self.stack.pay_to)

    def _expect_nothing_more(self) -> None:
        expect(self._balances() == self.after, "nothing was charged")
        expect(self.stack.upstream.runs[_PATH] == 1, "the upstream did not run again")


def main() -> int:
    """Returns the exit code."""
    end_on_signals()
    try:
        with LocalStack(block_seconds=1) as stack:
            Demo(stack).play()
    except (DemoFailed, StartFailed, ToolFailed) as failure:
        print(f"\nThe demo failed: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    print("\nAll of it happened. `make serve` keeps such a stack up for you to try.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
