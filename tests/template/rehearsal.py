"""Every kind of work that the functions do, done once: what they called and measured is judged by other tests."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from local.chain import Chain
from local.rpc_gate import SEND, Act, RpcGate
from tests.support.aws import client
from tests.support.aws_calls import AwsCall, arn
from tests.support.buyer import TRANSFER, decode, encode, fresh_signature, transfer_arguments
from tests.support.functions import Functions
from tests.support.seats import Seat, declared
from tests.support.silent_facilitator import silent_facilitator
from tests.support.template_values import Values
from tests.support.upstream import CountingUpstream, answers, sunny
from tests.template.cfn import ROOT
from tollgate.facilitator.remote_turns import STRIKES
from tollgate.payment.computed_price import ComputedPrice
from tollgate.payment.identity import PaymentId
from tollgate.payment.routes import ApiTarget, FunctionTarget, UpstreamHeader, UpstreamTarget
from tollgate.wire.parse import parse_payment

IDENTIFIER = "pay_{:032x}"
SOLD = arn("lambda", "function:map:live")
PRICER = arn("lambda", "function:pricer")
ELSEWHERE = "198.51.100.7"
GUARDED = ApiTarget("https://abcdef1234.execute-api.us-east-1.amazonaws.com/prod")
BIG = b"x" * 100_000
FINAL_SECONDS = 2_000
# What is left of an invocation: enough to claim and to serve, little to wait for what will not come.
_SHORT = 9.0
_PASS = 12.0
_EVERYTHING = ("eth_chainId", "eth_getTransactionReceipt", *SEND)
HTTP = ("proxy", "challenge", "discovery", "verify", "settle", "supported", "records", "admin", "analytics")
# Of these a bug is a metric: nobody could tell it from what they answer.
BUGS = (*HTTP, "authorizer")


@dataclass
class Rehearsed:
    """The calls of each stack with its values, and the metrics of each function (EMF records)."""

    calls: list[tuple[Values, list[AwsCall]]] = field(default_factory=list)
    metrics: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def keep(self, functions: Functions) -> None:
        """Remember what a stack did."""
        assert not functions.failures, functions.failures
        self.calls.append((functions.values, [c for c in functions.trace if isinstance(c, AwsCall)]))
        for name, loaded in functions.loaded.items():
            self.metrics.setdefault(name, []).extend(loaded.metrics)


def rehearse(aws_endpoint: str, chain: Chain) -> Rehearsed:
    """All of it; about ten seconds."""
    done = Rehearsed()
    chain.mine_at_once()
    with _servers(chain) as (gate, upstream):
        more = {"Refunds": "auto", "ExtraRelayerKeyArns": _key(aws_endpoint), "TreasuryKeyArn": _key(aws_endpoint)}
        more["WebhookSecretName"] = f"webhooks-{secrets.token_hex(5)}"
        hooks = {"default": {"url": f"{upstream.url}/hook", "secrets": ["whsec_" + "ab" * 16]}}
        client("secretsmanager", aws_endpoint).create_secret(
            Name=more["WebhookSecretName"], SecretString=json.dumps(hooks)
        )
        more["UpstreamFunctionArns"] = f"{SOLD},{PRICER}"
        with Functions(aws_endpoint, chain, rpc_url=gate.url, patient=False, **more) as functions:
            _Day(functions, gate, upstream).all()
            done.keep(functions)
        with silent_facilitator(chain) as there:
            secret = f"facilitator-{secrets.token_hex(5)}"
            headers = {"authorization": "Bearer of-ours"}
            client("secretsmanager", aws_endpoint).create_secret(Name=secret, SecretString=json.dumps(headers))
            elsewhere = {"FacilitatorUrl": there.url, "FacilitatorSecretName": secret, "RateLimitPerAddress": "1000"}
            with Functions(aws_endpoint, chain, patient=False, **elsewhere) as functions:
                _with_another_facilitator(functions, upstream)
                done.keep(functions)
    return done


class _Day:
    """One stack with its own settle function; ``gate`` stands between it and the chain."""

    def __init__(self, functions: Functions, gate: RpcGate, upstream: CountingUpstream) -> None:
        self.functions = functions
        self.chain = functions.chain
        self.gate = gate
        self.upstream = upstream
        self._payments = 0
        key = functions.loaded["settle"].environment["TOLLGATE_TREASURY_KEY"]
        self.treasury = functions.address_of(key)

    def all(self) -> None:
        self._open()
        self._sold_and_resent()
        self._big()
        self._settled_first()
        self._pending()
        self._half_restored()
        self._expired()
        self._unresolved()
        self._lost_with_a_table()
        self._given_up_and_paid()
        self._refund()
        self._block_gone()
        self._seller_elsewhere()
        self._records()
        self._streamed()
        self._admin()
        self._authorizer()
        self._bugs()

    def _open(self) -> None:
        functions = self.functions
        functions.made.put_secret(functions.made.upstream_prefix + "key", "an upstream's key")
        functions.sell(
            "GET",
            "/weather/{city}",
            self.upstream.url + "/weather/{city}",
            upstream_headers=(UpstreamHeader("x-api-key", secret=functions.made.upstream_prefix + "key"),),
        )
        functions.sell("GET", "/map", FunctionTarget(SOLD, 5.0))
        functions.sellers_functions[SOLD] = lambda event: {"statusCode": 200, "body": "a map"}
        price = ComputedPrice(PRICER, functions.terms(), functions.terms(200_000))
        functions.sell("GET", "/priced", self.upstream.url + "/priced", computed=price)
        functions.sellers_functions[PRICER] = lambda event: {"price": "$0.02"}
        functions.sell("GET", "/report/{city}", self.upstream.url + "/report/{city}", upfront=True)
        functions.sell("GET", "/guarded/{city}", GUARDED, upfront=True)
        health = UpstreamTarget(self.upstream.url + "/status", 5.0, health="/healthz")
        functions.sell("GET", "/status", health, free=True)
        status = functions.invoke("settle", {"op": "relayers"})
        for relayer in status["networks"][0]["relayers"]:
            self.chain.give_gas(relayer["address"])
        assert functions.invoke("settle", {"op": "doctor"})["relayers"]
        functions.invoke("reconcile", {})
        # Each outage below waits this out.
        functions.loaded["settle"].timeout = 4

    def _sold_and_resent(self) -> None:
        payment = self._payment()
        assert self._pay(payment) == 200
        assert self._pay(payment) == 200
        # Without its identifier, from elsewhere: the payer signs afresh.
        plain = self._payment(identified=False)
        assert self._pay(plain) == 200
        asked = self.functions.request("GET", "/weather/oslo", payment=plain, source=ELSEWHERE)
        assert asked.status == 409
        signed = fresh_signature(self._buyer, asked.json()["details"]["signIn"])
        again = self.functions.request(
            "GET", "/weather/oslo", payment=plain, source=ELSEWHERE, headers={"sign-in-with-x": signed}
        )
        assert again.status == 200
        self.upstream.behave(answers(500))
        assert self._pay(self._payment()) == 500
        self.upstream.behave(sunny)
        assert self._pay(self._payment(path="/map"), path="/map") == 200
        assert self._pay(self._payment(path="/priced"), path="/priced") == 200
        assert self.functions.request("GET", "/x402/challenge?path=/priced").status == 402
        price, self.functions.sellers_functions[PRICER] = self.functions.sellers_functions[PRICER], str
        assert self.functions.request("GET", "/priced").status == 503
        self.functions.sellers_functions[PRICER] = price

    def _big(self) -> None:
        self.upstream.behave(answers(200, BIG))
        payment = self._payment()
        for _ in range(2):
            answer = self.functions.request("GET", "/weather/oslo", payment=payment)
            assert (answer.status, answer.body) == (200, BIG)
        self.upstream.behave(sunny)

    def _settled_first(self) -> None:
        """Served and resent, big, failed, and one whose settlement came too late for its own request."""
        report = "/report/oslo"
        payment = self._payment(path=report)
        assert self._pay(payment, path=report) == 200
        assert self._pay(payment, path=report) == 200
        self.upstream.behave(answers(200, BIG))
        assert self._pay(self._payment(path=report), path=report) == 200
        self.upstream.behave(answers(202, headers={"Location": "/jobs/7"}))
        accepted = self.functions.request("GET", report, payment=self._payment(path=report))
        _, _, link = accepted.headers["location"].partition("/x402/")
        assert self.functions.request("GET", f"/x402/{link}").status == 202
        self.upstream.behave(answers(500))
        assert self._pay(self._payment(path=report), path=report) == 502
        self.upstream.behave(sunny)
        for fetched in (True, False):
            late = self._payment(path=report)
            held = self.gate.rule(Act.DROP, SEND)
            assert self._pay(late, path=report, seconds=_SHORT) == 503
            held.release()
            self._later(60)
            if fetched:
                self.functions.clock.skew += 30
                assert self._pay(late, path=report) == 200
            else:
                self._later(1_000)
                assert self._pay(late, path=report) == 502

    def _pending(self) -> None:
        """Nothing is broadcast; reconcile settles it later, and a lower nonce with it."""
        payment = self._unsettled()
        self._later(60)
        assert self._pay(payment) == 200

    def _half_restored(self) -> None:
        """A payment that stands as SETTLING although its receipt and its log row are there: it is not booked twice."""
        payment = self._payment()
        assert self._pay(payment) == 200
        self.functions.client("dynamodb").update_item(
            TableName=self.functions.resource("PaymentsTable"),
            Key={"pk": {"S": f"PAY#{self._id(payment).digest}"}},
            UpdateExpression="SET #state = :settling, due = :now",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":settling": {"S": "SETTLING"}, ":now": {"N": "0"}},
        )
        self._later(60)
        self._forget(payment)

    def _expired(self) -> None:
        """Its time ran out before anything was broadcast."""
        payment = self._unsettled()
        self.functions.advance(100)
        self.chain.mine(20)
        self._later(60)
        assert self._pay(payment) == 402

    def _unresolved(self) -> None:
        """Long past its deadline no endpoint answers."""
        payment = self._unsettled()
        self.gate.rule(Act.DROP, _EVERYTHING)
        self._later(500)
        assert self._pay(payment) == 409
        self.gate.clear()
        self.functions.advance(1_000)
        self.chain.mine(20)
        self._later(0)

    def _lost_with_a_table(self) -> None:
        """A table restored from before the payment: the chain knows it, we do not."""
        payment = self._payment()
        assert self._pay(payment) == 200
        self._forget(payment)
        assert self._pay(payment) == 409

    def _given_up_and_paid(self) -> None:
        self.upstream.behave(answers(500))
        payment = self._payment()
        assert self._pay(payment) == 500
        self.upstream.behave(sunny)
        self._submit(payment)
        self.functions.advance(400)
        self._later(0)

    def _refund(self) -> None:
        """Settle is asked for one that it does not make, for one that the treasury cannot pay yet, and pays it."""
        functions = self.functions
        unknown = {"op": "refund", "payment": str(self._id(self._payment()))}
        assert functions.invoke("settle", unknown)["outcome"] == "refused"
        payment = self._payment()
        assert self._pay(payment) == 200
        asked = {"payment": str(self._id(payment))}
        self.chain.mine(self.chain.info.confirmations)
        assert functions.invoke("settle", {"op": "refund_ready", **asked})["why"] == "treasury_short"
        self.chain.mint(self.treasury, 10**6)
        assert functions.invoke("settle", {"op": "refund_ready", **asked})["outcome"] == "ready"
        assert functions.invoke("settle", {"op": "refund", **asked})["transaction"]

    def _block_gone(self) -> None:
        """A stranger brings the payment on chain while the upstream runs, and then that block is gone."""
        payment = self._payment()
        snapshot = self.chain.rpc("evm_snapshot")

        def submit_meanwhile(handler: Any) -> None:
            self._submit(payment)
            sunny(handler)

        self.upstream.behave(submit_meanwhile)
        assert self._pay(payment) == 409
        self.upstream.behave(sunny)
        assert self.chain.rpc("evm_revert", snapshot)
        self.chain.mine(3)
        self._later(FINAL_SECONDS)

    def _seller_elsewhere(self) -> None:
        functions = self.functions
        challenge = functions.request("GET", "/x402/challenge?method=GET&path=/weather/oslo")
        assert challenge.status == 402
        assert functions.request("GET", "/discovery/resources").json()["items"]
        supported = functions.request("GET", "/x402/facilitator/supported")
        assert supported.json()["kinds"]
        payment = self._payment(identified=False)
        key = functions.seller()
        message = {"x402Version": 2, "paymentPayload": payment, "paymentRequirements": payment["accepted"]}
        for path in ("verify", "settle"):
            refused = self._post(path, message, "tg_shop_" + "A" * 43)
            assert refused.status == 401
            answer = self._post(path, message, key).json()
            assert answer.get("isValid", answer.get("success")) is True, answer

    def _records(self) -> None:
        """A payer reads how a payment stands, and has its receipt signed, with a look at the chain."""
        payment = self._payment()
        assert self._pay(payment) == 200
        digest = self._id(payment).digest
        transaction = self.functions.invoke("records", {"op": "receipt", "payment": digest})["transaction"]
        for path in (f"/x402/payments/{digest}", f"/x402/receipts/{transaction}?check=chain"):
            how = self.functions.request("GET", path).json()["details"]["signIn"]
            how |= {"requestId": digest, "chainId": str(self.chain.info.network)}
            signed = fresh_signature(self._buyer, how)
            assert self.functions.request("GET", path, headers={"sign-in-with-x": signed}).status == 200
        how = self.functions.request("GET", "/x402/payments").json()["details"]["signIn"]
        signed = fresh_signature(self._buyer, how | {"chainId": str(self.chain.info.network)})
        for query in ("", "?as=owner", f"?transaction={transaction}"):
            listed = self.functions.request("GET", f"/x402/payments{query}", headers={"sign-in-with-x": signed})
            assert (listed.status, bool(listed.json()["payments"])) == (200, query != "?as=owner")

    def _streamed(self) -> None:
        """All that happened to payments is counted; and one record that nobody can read is not."""
        records = self.functions.streamed()
        for start in range(0, len(records), 100):
            counted = self.functions.invoke("counter", {"Records": records[start : start + 100]})
            published = self.functions.invoke("publisher", {"Records": records[start : start + 100]})
            assert counted == published == {"batchItemFailures": []}
        read = self.functions.invoke("analytics", {"op": "analytics"})
        assert {row["route"] for row in read["rows"]} >= {"route-0", "route-1", "route-2"}
        bad = {"Keys": {"pk": {"S": "PAY#1"}}, "NewImage": {"identity": {"S": "none"}}, "SequenceNumber": "7"}
        for consumer in ("counter", "publisher"):
            failed = self.functions.invoke(consumer, {"Records": [{"dynamodb": bad}]})
            assert failed == {"batchItemFailures": [{"itemIdentifier": "7"}]}
        for status, again in ((200, False), (500, True)):
            self.upstream.behave(answers(status))
            message = self._queued()
            left = self.functions.invoke("webhooks", {"Records": [message]})["batchItemFailures"]
            assert left == ([{"itemIdentifier": message["messageId"]}] if again else [])
        self.upstream.behave(sunny)
        # A bus that takes nothing: what EventBridge does when it throttles.
        publisher: Any = self.functions.loaded["publisher"].module
        publisher._publisher.bus = replace(publisher._publisher.bus, client=_TakesNothing())
        stopped = self.functions.invoke("publisher", {"Records": records[:1]})
        assert stopped["batchItemFailures"] == [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]

    def _queued(self) -> dict[str, Any]:
        """An event as Lambda takes it out of the webhooks' queue."""
        event = json.loads((ROOT / "events" / "webhooks_queue.json").read_text())["Records"][0]
        sqs, url = self.functions.client("sqs"), self.functions.resource("WebhookQueue")
        sqs.send_message(QueueUrl=url, MessageBody=event["body"])
        (taken,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
        return event | {"messageId": taken["MessageId"], "receiptHandle": taken["ReceiptHandle"]}

    def _admin(self) -> None:
        """An owner registers a route, looks at it and takes it away; and a stranger may not."""
        functions, stranger = self.functions, self.functions.buyer()
        assert Seat(functions, stranger).ask("GET", "/x402/admin/routes").status == 403
        seat = Seat.of_an_owner(functions)
        made = seat.ask("POST", "/x402/admin/routes", declared())
        assert made.status == 201, made.body
        for path in ("routes", "routes/tea", "routes/tea/versions", "changes"):
            assert seat.ask("GET", f"/x402/admin/{path}").status == 200
        gone = seat.ask("DELETE", "/x402/admin/routes/tea", version=made.json()["version"])
        assert gone.status == 204

    def _authorizer(self) -> None:
        """The REST API's: offered, let through, refused; and one whose settlement its resend waits for."""
        assert decide(self.functions)["policyDocument"]["Statement"][0]["Effect"] == "Deny"
        for late in (False, True):
            payment = self._guarded_unsettled() if late else self._guarded()
            assert decide(self.functions, payment)["policyDocument"]["Statement"][0]["Effect"] == "Allow"
            assert decide(self.functions, payment) == "Unauthorized"
        expired = self._guarded_unsettled()
        self.functions.advance(100)
        self.chain.mine(20)
        assert decide(self.functions, expired)["policyDocument"]["Statement"][0]["Effect"] == "Deny"
        # A table restored from before it: the chain knows the payment, we do not.
        lost = self._guarded()
        assert decide(self.functions, lost)["policyDocument"]["Statement"][0]["Effect"] == "Allow"
        self._forget(lost)
        assert decide(self.functions, lost) == "Unauthorized"
        assert decide(self.functions, event={}) == "'resource'"

    def _guarded_unsettled(self) -> dict[str, Any]:
        payment = self._guarded()
        held = self.gate.rule(Act.DROP, SEND)
        assert decide(self.functions, payment, seconds=_SHORT) == "settlement_pending"
        held.release()
        return payment

    def _guarded(self) -> dict[str, Any]:
        self._payments += 1
        offer = decode(decide(self.functions)["context"]["paymentRequired"])
        return self.functions.sign(self.functions.buyer(), offer, identifier=IDENTIFIER.format(self._payments))

    def _bugs(self) -> None:
        """An event that API Gateway never sends stands for a bug."""
        for name in HTTP:
            assert self.functions.invoke(name, {"requestContext": {}})["statusCode"] == 500

    def _post(self, path: str, message: dict[str, Any], key: str) -> Any:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        body = json.dumps(message).encode()
        return self.functions.request("POST", f"/x402/facilitator/{path}", body=body, headers=headers)

    def _payment(self, *, identified: bool = True, path: str = "/weather/oslo") -> dict[str, Any]:
        self._payments += 1
        self._buyer = self.functions.buyer()
        identifier = IDENTIFIER.format(self._payments) if identified else None
        required = self.functions.offer("GET", path)
        return self.functions.sign(self._buyer, required, identifier=identifier)

    def _pay(self, payment: dict[str, Any], *, seconds: float | None = None, path: str = "/weather/oslo") -> int:
        return self.functions.request("GET", path, payment=payment, seconds=seconds).status

    def _unsettled(self) -> dict[str, Any]:
        payment = self._payment()
        held = self.gate.rule(Act.DROP, SEND)
        assert self._pay(payment, seconds=_SHORT) == 503
        held.release()
        return payment

    def _later(self, seconds: int) -> None:
        self.functions.clock.skew += seconds
        self.functions.invoke("reconcile", {}, seconds=_PASS)

    def _id(self, payment: dict[str, Any]) -> PaymentId:
        return PaymentId.of(parse_payment(encode(payment)))

    def _forget(self, payment: dict[str, Any]) -> None:
        self.functions.client("dynamodb").delete_item(
            TableName=self.functions.resource("PaymentsTable"),
            Key={"pk": {"S": f"PAY#{self._id(payment).digest}"}},
        )

    def _submit(self, payment: dict[str, Any]) -> None:
        self.chain.send(TRANSFER, *transfer_arguments(payment))


class _TakesNothing:
    """A client of EventBridge."""

    def put_events(self, *, Entries: list[Any]) -> Any:
        """PutEvents."""
        return {"FailedEntryCount": len(Entries), "Entries": [{"ErrorCode": "ThrottlingException"} for _ in Entries]}


def decide(
    functions: Functions,
    payment: dict[str, Any] | None = None,
    *,
    seconds: float | None = None,
    event: dict[str, Any] | None = None,
) -> Any:
    """What a REST API's authorizer says: its output, or the text of its error."""
    asked = {
        "methodArn": "arn:aws:execute-api:us-east-1:000000000000:abcdef1234/prod/GET/guarded/oslo",
        "resource": "/guarded/{city}",
        "httpMethod": "GET",
        "pathParameters": {"city": "oslo"},
        "multiValueHeaders": {} if payment is None else {"PAYMENT-SIGNATURE": [encode(payment)]},
        "requestContext": {"identity": {"sourceIp": "192.0.2.1"}},
    }
    try:
        return functions.invoke("authorizer", asked if event is None else event, seconds=seconds)
    except Exception as error:
        return str(error)


def _with_another_facilitator(functions: Functions, upstream: CountingUpstream) -> None:
    """It refuses payment after payment, until it is skipped."""
    assert functions.invoke("origin", {"headers": {"x-tollgate-origin": "a guess"}}) == {"isAuthorized": False}
    functions.sell("GET", "/weather/{city}", upstream.url + "/weather/{city}")
    functions.sell("GET", "/guarded/{city}", GUARDED, upfront=True)
    functions.invoke("reconcile", {})
    offer = decode(decide(functions)["context"]["paymentRequired"])
    assert decide(functions, functions.sign(functions.buyer(), offer), seconds=_SHORT) == "settlement_pending"
    for _ in range(STRIKES):
        payment = functions.sign(functions.buyer(), functions.offer("GET", "/weather/oslo"))
        assert functions.request("GET", "/weather/oslo", payment=payment, seconds=_SHORT).status == 503
    functions.clock.skew += 60
    functions.invoke("reconcile", {})


def _key(aws_endpoint: str) -> str:
    made = client("kms", aws_endpoint).create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")
    return str(made["KeyMetadata"]["Arn"])


@contextmanager
def _servers(chain: Chain) -> Iterator[tuple[RpcGate, CountingUpstream]]:
    gate, upstream = RpcGate(chain.url), CountingUpstream()
    gate.start()
    try:
        yield gate, upstream
    finally:
        gate.clear()
        gate.stop()
        upstream.stop()
