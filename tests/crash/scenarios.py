"""What happens around a purchase, besides crashes."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from coincurve import PublicKey

from tests.crash.walk import Run, Scenario, alternate
from tests.support.buyer import decode, encode
from tests.support.fakes.client import Buyer
from tests.support.fakes.node import BASE_FEE
from tests.support.fakes.services import local_signer
from tests.support.fakes.token import calldata
from tests.support.fakes.world import START
from tests.support.world import WEI
from tollgate.chain.transactions import DynamicFeeTransaction
from tollgate.gateway.upstream import FailureKind
from tollgate.payment.networks import network_info
from tollgate.schemes.exact import eip3009
from tollgate.schemes.secp256k1 import HALF_ORDER, ORDER
from tollgate.wire.keccak import keccak256
from tollgate.wire.parse import parse_payment

STRANGER = b"\x5a" * 32
_GWEI = 10**9


def send_from(run: Run, key: bytes, data: bytes, *, first: bool = False) -> None:
    """Somebody's transaction to the token; ``first`` puts it before all that waits."""
    node = run.world.node
    signer = local_signer(key)
    node.give_gas(str(signer.address()), WEI)
    unsigned = DynamicFeeTransaction(
        chain_id=run.world.network.chain_id,
        nonce=node.nonce(str(signer.address())),
        max_priority_fee_per_gas=_GWEI,
        max_fee_per_gas=10 * _GWEI,
        gas_limit=200_000,
        to=run.world.asset.address,
        value=0,
        data=data,
    )
    node.accept(unsigned.encode(_signature(key, unsigned.signing_digest())))
    if first:
        node.pool.insert(0, node.pool.pop())


@lru_cache(maxsize=256)
def _signature(key: bytes, digest: bytes) -> bytes:
    return local_signer(key).sign(digest)


def transfer_of(run: Run) -> bytes:
    """The calldata that anybody who saw the payment can send."""
    payment = parse_payment(run.header).payload
    return eip3009.transfer_calldata(payment.authorization, payment.signature)


def stranger_submits(run: Run) -> None:
    send_from(run, STRANGER, transfer_of(run), first=True)


def payer_cancels(run: Run) -> None:
    a = parse_payment(run.header).payload.authorization
    types = keccak256(b"CancelAuthorization(address authorizer,bytes32 nonce)")
    struct = keccak256(types + eip3009.address_word(a.from_) + a.nonce.raw)
    digest = keccak256(b"\x19\x01" + eip3009.domain_separator(run.world.asset, run.world.network) + struct)
    s = _signature(run.buyer.key, digest)
    cancel = "cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)"
    send_from(run, run.buyer.key, calldata(cancel, str(a.from_), a.nonce.raw, s[64], s[:32], s[32:64]), first=True)


def payer_drains(run: Run) -> None:
    send_from(run, STRANGER, calldata("drain(address)", str(run.buyer.address)), first=True)


def _big(run: Run) -> None:
    run.world.upstream.padding = 100_000


def _status(status: int) -> "Scenario":
    def prepare(run: Run) -> None:
        run.world.upstream.status = status

    return Scenario(f"upstream {status}", "RELEASED", prepare)


def _upstream_times_out(run: Run) -> None:
    run.world.upstream.failure = FailureKind.TIMEOUT
    run.world.upstream.seconds = 5.0


def _whole(run: Run) -> None:
    """The invocation has the time that API Gateway gives it: settlement and the run fit into one."""
    run.buyer.seconds = 29.0


def _whole_and_upstream_fails(run: Run) -> None:
    _whole(run)
    run.world.upstream.status = 503


def _receipts_hidden(run: Run) -> None:
    run.world.node.receipts_hidden_until = START + 25


def _preempted_in_the_pool(run: Run) -> None:
    run.on("send", "after", lambda: stranger_submits(run))


def _preempted_before_we_send(run: Run) -> None:
    def act() -> None:
        stranger_submits(run)
        run.world.node.mine()

    run.on("sign", "before", act)


def _preempted_while_serving(run: Run) -> None:
    run.on("fetch", "after", lambda: stranger_submits(run))


def _cancelled(run: Run) -> None:
    run.on("send", "before", lambda: payer_cancels(run))


def _cancelled_while_serving(run: Run) -> None:
    run.on("fetch", "after", lambda: payer_cancels(run))


def _drained(run: Run) -> None:
    run.on("send", "before", lambda: payer_drains(run))


def _drained_and_refilled(run: Run) -> None:
    def act() -> None:
        payer_drains(run)
        run.world.clock.at(run.world.clock.now + 15, lambda: _refill(run))

    run.on("send", "before", act)


def _refill(run: Run) -> None:
    run.world.node.catch_up()
    run.world.node.mint(str(run.buyer.address), 1_000_000)


def _reorganised(*, drop: bool) -> "Scenario":
    def prepare(run: Run) -> None:
        run.world.clock.at(START + 12, lambda: run.world.node.reorganise(6, drop=drop))

    name = "reorg, transaction dropped" if drop else "reorg, transaction mined again"
    return Scenario(name, "UNPAID" if drop else "SETTLED", prepare)


def _both_at_once(run: Run) -> None:
    """The same payment twice at the same moment, from two connections of the same buyer."""
    _send_together(run, [run.header, run.header])


def _signed_twice(run: Run) -> None:
    """One authorization under two valid signatures, at the same moment."""
    _send_together(run, [run.header, other_signature(run.header, run.buyer.key)])


def _send_together(run: Run, headers: list[str]) -> None:
    twin = Buyer(run.world, seed=run.buyer.seed, identifier=run.buyer.identifier, path=run.buyer.path, wait=run.wait)
    run.buyer.balance = twin.balance = run.world.node.balance(str(run.buyer.address))
    sends = [lambda b=b, h=h: b.send(h) for b, h in zip((run.buyer, twin), headers, strict=True)]
    for job in run.world.together(*sends, pick=alternate()):
        if job.error is not None:
            raise job.error
    run.buyer.told.extend(twin.told)
    for told in run.buyer.told:
        if 200 <= told.answer.status < 300:
            run.buyer.body = told.answer.body
    if run.buyer.body is None:
        run.buyer.pursue(headers[0])


def other_signature(header: str, key: bytes) -> str:
    """The same payment with another valid signature of the same payer."""
    message = decode(header)
    payment = parse_payment(header)
    digest = eip3009.digest(
        network_info("base-sepolia").asset("USDC"), payment.accepted.network, payment.payload.authorization
    )
    message["payload"]["signature"] = "0x" + sign_with_nonce(key, digest, 12345).hex()
    return encode(message)


@lru_cache(maxsize=64)
def sign_with_nonce(key: bytes, digest: bytes, k: int) -> bytes:
    """ECDSA over secp256k1 with a chosen ``k``: what a second wallet of the same key might answer."""
    point = PublicKey.from_secret(k.to_bytes(32, "big")).format(compressed=False)
    x, y = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
    r = x % ORDER
    s = pow(k, -1, ORDER) * (int.from_bytes(digest, "big") + r * int.from_bytes(key, "big")) % ORDER
    parity = y & 1
    if s > HALF_ORDER:
        s, parity = ORDER - s, parity ^ 1
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + parity])


def _gateway_times_out(run: Run) -> None:
    run.world.effects.script["answer", 0] = "lost"


def _slow_buyer(run: Run) -> None:
    """Comes back after ten minutes: reconcile finds everything first."""
    run.buyer.send(run.header)
    if not 200 <= run.buyer.told[-1].answer.status < 300:
        run.wait(600)
        run.buyer.pursue(run.header)
    else:
        run.buyer.body = run.buyer.told[-1].answer.body


def _echoes(run: Run) -> None:
    run.world.effects.always["dynamo"] = "echo"


def _throttled(run: Run) -> None:
    """Every other request to DynamoDB is throttled."""
    turn = [False]

    def throttle(_operation: str) -> bool:
        turn[0] = not turn[0]
        return turn[0]

    run.world.dynamo.throttle = throttle


def _no_gas(seconds: float) -> "Scenario":
    def prepare(run: Run) -> None:
        relayer = str(run.world.signer.address())
        run.world.node.give_gas(relayer, 1)
        run.world.clock.at(START + seconds, lambda: run.world.node.give_gas(relayer, WEI))

    ends = seconds < 60
    name = "relayer out of gas, refilled" if ends else "relayer out of gas past the deadline"
    return Scenario(name, "SETTLED" if ends else "UNPAID", prepare, signatures=1)


def _stuck(name: str, end: str, fee: int, seconds: float) -> "Scenario":
    """The base fee rises to ``fee`` (wei) just before the broadcast, for ``seconds``."""

    def prepare(run: Run) -> None:
        def rise() -> None:
            run.world.node.base_fee = fee
            run.world.clock.at(START + seconds, fall)

        def fall() -> None:
            run.world.node.base_fee = BASE_FEE

        run.on("send", "before", rise)

    return Scenario(name, end, prepare, signatures=1)


def _chain_goes_down(run: Run) -> None:
    def act() -> None:
        run.world.node.down = True
        run.world.clock.at(run.world.clock.now + 30, back)

    def back() -> None:
        run.world.node.down = False

    run.on("send", "after", act)


def _scripted(kind: str, fault: str) -> Callable[[Run], None]:
    def prepare(run: Run) -> None:
        run.world.effects.script[kind, 0] = fault

    return prepare


def _waiting_node(run: Run) -> None:
    run.world.node.waits = True


AUTHORIZATION = (
    Scenario("happy", "SETTLED"),
    Scenario("happy, the node waits for the block", "SETTLED", _waiting_node),
    Scenario("happy, big answer", "SETTLED", _big),
    Scenario("happy, no identifier", "SETTLED", identifier=False),
    _status(404),
    _status(503),
    _status(302),
    Scenario("upstream timeout", "RELEASED", _upstream_times_out),
    Scenario("receipt wait lost", "SETTLED", _receipts_hidden),
    Scenario("preempted in the pool", "SETTLED", _preempted_in_the_pool),
    Scenario("preempted before we sign", "SETTLED", _preempted_before_we_send),
    Scenario("preempted while the upstream runs", "SETTLED", _preempted_while_serving),
    Scenario("cancelled before we send", "UNPAID", _cancelled, signatures=1),
    Scenario("cancelled while the upstream runs", "UNPAID", _cancelled_while_serving, signatures=1),
    Scenario("drained", "UNPAID", _drained, payer_spends=True, signatures=1),
    Scenario("drained and refilled", "UNPAID", _drained_and_refilled, payer_spends=True, signatures=1),
    _reorganised(drop=False),
    _reorganised(drop=True),
    Scenario("duplicate in parallel", "SETTLED", drive=_both_at_once),
    Scenario("one authorization signed twice, in parallel", "SETTLED", drive=_signed_twice),
    Scenario("gateway timeout", "SETTLED", _gateway_times_out),
    Scenario("two reconcilers at once, slow buyer", "SETTLED", drive=_slow_buyer, rivals=2),
    Scenario("slow buyer", "SETTLED", drive=_slow_buyer),
    Scenario("DynamoDB retries its own success", "SETTLED", _echoes),
    Scenario("throttled", "SETTLED", _throttled, aws_fails=True),
    _no_gas(15),
    _no_gas(400),
    _stuck("transaction stuck, then mined", "SETTLED", 2_000 * _GWEI, 15),
    _stuck("transaction stuck, replaced", "SETTLED", 10 * _GWEI, 400),
    _stuck("transaction stuck past the deadline", "UNPAID", 2_000 * _GWEI, 400),
    Scenario("chain down after the broadcast", "SETTLED", _chain_goes_down),
    Scenario("broadcast answer lost", "SETTLED", _scripted("send", "lost")),
    Scenario("broadcast refused once", "SETTLED", _scripted("send", "refuse")),
    Scenario("settle's answer lost", "SETTLED", _scripted("invoke", "lost")),
    Scenario("settle throttled", "SETTLED", _scripted("invoke", "refuse")),
    Scenario("KMS fails once", "SETTLED", _scripted("sign", "refuse"), aws_fails=True),
)


# Settled first: the upstream runs once the money came, so what goes wrong before costs no run. Where a run fails, or
# dies, the payment ends REFUND_DUE.
_NOT_UPFRONT = frozenset({"cancelled while the upstream runs", "preempted while the upstream runs"})
_ENDS = {"SETTLED": "FULFILLED", "RELEASED": "REFUND_DUE", "UNPAID": "UNPAID"}
UPFRONT = (
    *(
        replace(scenario, end=_ENDS[scenario.end], flow="upfront")
        for scenario in AUTHORIZATION
        if scenario.name not in _NOT_UPFRONT
    ),
    Scenario("happy, in one invocation", "FULFILLED", _whole, flow="upfront"),
    Scenario("upstream 503, in one invocation", "REFUND_DUE", _whole_and_upstream_fails, flow="upfront"),
)
SCENARIOS = AUTHORIZATION + UPFRONT
