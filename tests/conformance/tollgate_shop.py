"""Tollgate as the seller: the gateway on real servers, settling through the facilitator that misbehaves, or its own."""

import dataclasses
import time
from typing import Any

from eth_account.signers.local import LocalAccount

from local.chain import Chain
from tests.conformance.shop import CHEAP, GOODS, PRICES, Reply
from tests.support.buyer import fresh_signature
from tests.support.facilitator import Facilitator, TimeThatIsSlept
from tests.support.upstream import CountingUpstream, answers
from tests.support.world import BASE_URL, World
from tollgate.gateway.messages import Answer
from tollgate.wire.models import Requirements


class Killed(BaseException):
    """The process dies here."""


class _Dying:
    """Settles, and dies before it says so."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def settle(self, request: Any, timeout: float) -> Any:
        self._inner.settle(request, timeout)
        raise Killed


class TollgateShop:
    """A world whose routes are those that every shop has. ``own``: it settles by itself."""

    prices_by_query = False
    signs_in = False
    upfront_path = "/first"

    def __init__(self, aws_endpoint: str, chain: Chain, *, own: bool = False) -> None:
        self.chain = chain
        self.world = World(aws_endpoint, chain)
        self.facilitator = Facilitator(chain)
        self.handler: CountingUpstream = self.world.upstream
        self.handler.behave(answers(200, GOODS))
        self._own = own
        world = self.world
        world.routes = [
            world.route(f"{method}{pattern}", method, pattern, accepts=(_priced(world, price),))
            for (method, pattern), price in PRICES.items()
        ]
        first = _priced(world, CHEAP, paymentFlow="upfront")
        world.routes.append(world.route("first", "GET", self.upfront_path, accepts=(first,)))
        self._start()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        payment: dict[str, Any] | None = None,
        header: str | None = None,
        body: bytes = b"",
        sign_in: str | None = None,
        hung_up: bool = False,
        seconds: float = 12.0,
    ) -> Reply:
        """Through the gateway, without the front door."""
        more = {} if sign_in is None else {"sign_in_with_x": sign_in}
        sent = payment if header is None else header
        answer = self.world.request(path, payment=sent, method=method, query=query, body=body, seconds=seconds, **more)
        return _reply(answer)

    def sign(self, payer: LocalAccount, offer: dict[str, Any], **how: Any) -> dict[str, Any]:
        """By this world's clock."""
        return self.world.sign(payer, offer, **how)

    def signed_in(self, payer: LocalAccount, path: str) -> str:
        """As a 409 would ask for it, for a payment that is not there."""
        how = {
            "domain": BASE_URL.removeprefix("https://"),
            "uri": BASE_URL + path,
            "version": "1",
            "chainId": str(self.world.network),
            "type": "eip191",
            "requestId": "0" * 64,
        }
        return fresh_signature(payer, how, now=self.world.clock())

    def buyer(self) -> LocalAccount:
        """With 100 USDC."""
        return self.world.buyer()

    def settles(self) -> int:
        """Calls of settle, or POSTs to the facilitator."""
        return self.world.settler.calls if self._own else len(self.facilitator.posts)

    def transactions(self) -> int:
        """The relayer's, or the facilitator's."""
        return self.world.sent() if self._own else len(self.facilitator.sent)

    def replica(self) -> "TollgateShop":
        """A gateway with an empty memory over the same tables."""
        other = TollgateShop.__new__(TollgateShop)
        other.__dict__.update(self.__dict__)
        other.world = World.__new__(World)
        other.world.__dict__.update(self.world.__dict__)
        other._start()
        return other

    def dies(self, moment: str, method: str, path: str, payment: dict[str, Any]) -> None:
        """With settle's answer in hand, or with the whole answer in hand: then it is only lost."""
        settles = self.world.settles
        if moment == "settled":
            self.world.settle_through(_Dying(settles))
        try:
            self.request(method, path, payment=payment)
        except Killed:
            return
        finally:
            self.world.settle_through(settles)
        assert moment == "answering", "nobody died"

    def restart(self) -> None:
        """A minute later: no lease is alive."""
        self.world.skew += 60
        self._start()

    def mine(self) -> None:
        """And from then on every transaction at once; later than the next look at an open payment is due."""
        self.world.chain.mine_at_once()
        self.world.chain.mine()
        self.world.skew += 30

    def close(self) -> None:
        """Stop everything."""
        self.facilitator.stop()
        self.world.close()

    def _start(self) -> None:
        if self._own:
            self.world.gateway = self.world.make_gateway()
            return
        slept = TimeThatIsSlept(time.monotonic)
        chains = self.world.gateway.paid_call.parts.chains
        self.world.settle_through(self.facilitator.settler(chains, self.world.diary, slept.clock, slept.sleep))


def _priced(world: World, price: int, **extra: str) -> Requirements:
    return dataclasses.replace(world.requirements, amount=price, extra={**world.requirements.extra, **extra})


def _reply(answer: Answer) -> Reply:
    return Reply(answer.status, {name.lower(): value for name, value in answer.headers}, answer.body)
