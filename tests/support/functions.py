"""The Lambda functions in this process: the real handlers, told what template.yaml tells them.

    with Functions(aws_endpoint, chain) as functions:
        functions.sell("GET", "/weather/{city}", upstream.url + "/weather/{city}")
        with functions.recording() as seen:
            answer = functions.request("GET", "/weather/paris")  # 402
        seen.aws, seen.rpc                                       # every request that it took

DynamoDB, S3, KMS and Secrets Manager are the local AWS's, over HTTP; the chain is anvil; Lambda's Invoke is a
server of this process, so settle runs here too, on a thread of its own. Tables, bucket, key and secrets are
fresh for each ``Functions``. One may be open at a time: the environment, boto3 and the clock are switched
while it is, per handler call, and put back when it closes.
"""

import contextlib
import itertools
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from local.chain import Chain
from tests.support.aws import client
from tests.support.aws_calls import AwsCall, RpcCall, Seen
from tests.support.buyer import decode, encode, sign
from tests.support.lambda_events import Context, InvokeServer, Reply, http_event
from tests.support.loaded import Clock, LoadedFunction, Run, running, switched
from tests.support.made import Made
from tests.support.streams import payments_of
from tests.support.template_values import REGION, Values
from tests.template.cfn import ROOT, environment, load, of_type
from tollgate.ledger.routes import RoutesTable
from tollgate.ledger.sellers import SellersTable
from tollgate.payment.routes import Route, Target, UpstreamTarget
from tollgate.payment.sellers import Allowance, Seller, key_hash
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address

HOST = "api.example"
PAY_TO = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
PRICE = 10_000
HERE = "192.0.2.1"


class Functions:
    """Every function of the template; use it in a ``with``.

    ``parameters`` override the template's; ``rpc_url`` puts something between the functions and the chain.
    With ``patient`` off a handler's ``time.sleep`` moves the clock instead: outages are waited out at once.
    """

    def __init__(
        self, aws_endpoint: str, chain: Chain, *, rpc_url: str | None = None, patient: bool = True, **parameters: str
    ) -> None:
        self.chain = chain
        self.aws_endpoint = aws_endpoint
        self.template = load()
        self.made = Made(self.template, aws_endpoint)
        self.trace: list[AwsCall | RpcCall] = []
        # What invoked functions ended with instead of an answer.
        self.failures: list[Exception] = []
        # The seller's own Lambda functions, by ARN.
        self.sellers_functions: dict[str, Callable[[Any], Any]] = {}
        self._rpc_url = rpc_url or chain.url
        self._closing = contextlib.ExitStack()
        self._numbers = itertools.count(1)
        self._routes: list[Route] = []
        # Tests share the chain, and some of them move its clock ahead.
        self.clock = Clock(max(0.0, chain.now() - time.time()), patient)
        given = {
            "Stage": "local",
            "Network": str(chain.info.network),
            "Asset": "USDC",
            "PayTo": PAY_TO,
            "RpcSecretName": self.made.rpc_secret,
            "PublicBaseUrl": f"https://{HOST}",
            "AllowPrivateUpstreams": "true",
            "MaxFeeGwei": "1000",
            "UpstreamSecretPrefix": self.made.upstream_prefix,
        }
        self.values = Values(self.template, self.made.stack, given | parameters, self.made.resources)
        self.made.put_secret(self.made.rpc_secret, {str(chain.info.network): [self._rpc_url]})
        self._server = InvokeServer(self._invoked)
        self.loaded: dict[str, LoadedFunction] = {}
        for logical, resource in of_type(self.template, "AWS::Serverless::Function").items():
            if self.values.made(resource):
                function = self._function(logical)
                self.loaded[function.name] = function

    def __enter__(self) -> Self:
        """Start with every function cold, and the relayer with gas."""
        self._server.start()
        self._closing.callback(self._server.stop)
        self._closing.enter_context(switched(self._rpc_url, self.trace, self.clock))
        self.chain.give_gas(self.relayer())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def resource(self, logical: str) -> str:
        """The physical name of a table, bucket, key or function of the template."""
        return self.made.resources[logical]

    def client(self, service: str) -> Any:
        """A boto3 client of the test's own; what it does is not recorded."""
        return client(service, self.aws_endpoint)

    def relayer(self) -> str:
        """The address of the stack's KMS key."""
        return self.address_of(self.resource("RelayerKey"))

    def address_of(self, key: str) -> str:
        """The address of a KMS key."""
        # The last 64 bytes of the DER are the point's coordinates.
        return str(to_checksum_address(keccak(self.made.public_key(key)[-64:])[-20:]))

    def advance(self, seconds: int) -> None:
        """Pass time, for the functions and the chain, which catches up; ``clock.skew`` moves the functions' alone."""
        self.clock.skew += seconds
        self.chain.advance(max(0, int(time.time()) - self.chain.now()))

    def cold(self, *names: str) -> None:
        """Forget the runtimes of these functions (all by default): their next call is a cold start."""
        for name in names or self.loaded:
            self.loaded[name].module = None

    def invoke(self, name: str, event: Any, *, seconds: float | None = None) -> Any:
        """Call a function's handler, cold or warm, with as much time as the template gives it, or ``seconds``."""
        function = self.loaded[name]
        physical = self.resource(f"{name.capitalize()}Function")
        held = running.set(Run(function, next(self._numbers)))
        try:
            if function.module is None:
                function.load()
            assert function.module is not None
            arn = self.resource(f"{name.capitalize()}Function.Arn")
            return function.module.handler(event, Context(physical, arn, seconds or function.timeout))
        finally:
            running.reset(held)

    def request(
        self,
        method: str,
        url: str,
        *,
        payment: Mapping[str, Any] | None = None,
        body: bytes = b"",
        source: str = HERE,
        seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One HTTP request, to the function that the template's routes send it to. ``url`` is path and query."""
        route_key, name = self._routed(method, url.split("?", 1)[0])
        sent = dict(headers or {})
        if payment is not None:
            sent["payment-signature"] = encode(dict(payment))
        event = http_event(method, url, sent, body, source, route_key=route_key, host=HOST)
        return Reply.of(self.invoke(name, event, seconds=seconds))

    def streamed(self) -> list[dict[str, Any]]:
        """The stream of the payments table from its beginning, as Lambda hands its payments' records over."""
        return payments_of(self.client("dynamodbstreams"), self.made.resources["PaymentsTable.StreamArn"])

    @contextlib.contextmanager
    def recording(self) -> Iterator[Seen]:
        """What is called inside the ``with``."""
        start = len(self.trace)
        seen = Seen([])
        try:
            yield seen
        finally:
            seen.trace = self.trace[start:]

    def sell(
        self,
        method: str,
        pattern: str,
        url: str | Target,
        *,
        price: int = PRICE,
        seconds: int = 60,
        **route: Any,
    ) -> None:
        """Put one more priced route in front of ``url``; a proxy that runs sees it when its copy is old.

        ``upfront``: it settles first; ``free``, ``computed`` or with a ``choice``: ``price`` is not its price.
        """
        flow = {"paymentFlow": "upfront"} if route.pop("upfront", False) else {}
        requirements = self.terms(price, seconds, **flow)
        upstream_headers = route.pop("upstream_headers", ())
        timeout = route.pop("timeout_seconds", 5.0)
        target = UpstreamTarget(url, timeout, upstream_headers) if isinstance(url, str) else url
        version = len(self._routes)
        accepts = () if route.get("free") or route.get("choice") or route.get("computed") else requirements
        made = Route(f"route-{version}", method, pattern, accepts, (), target, **route)
        self._routes.append(made)
        RoutesTable(self.client("dynamodb"), self.resource("RoutesTable"), [self.chain.info.network]).replace(
            self._routes, version, int(time.time())
        )

    def terms(self, price: int = PRICE, seconds: int = 60, **extra: str) -> tuple[Requirements, ...]:
        """What a route may offer; ``price`` in atomic units."""
        asset = self.chain.asset
        domain = {"name": asset.name, "version": asset.version, **extra}
        network, pay_to = self.chain.info.network, Address.parse(PAY_TO)
        return (Requirements("exact", network, price, asset.address, pay_to, seconds, domain),)

    def seller(self, name: str = "shop", *, per_day: int = 1000) -> str:
        """Let a seller elsewhere use the facilitator for payments to ``PAY_TO``; returns its bearer key."""
        key = f"tg_{name}_{secrets.token_urlsafe(32)}"
        allowance = Allowance(self.chain.info.network, self.chain.asset.address, 10**9)
        seller = Seller(name, (Address.parse(PAY_TO),), (allowance,), per_day, (key_hash(key),))
        SellersTable(self.client("dynamodb"), self.resource("SellersTable")).add(seller)
        return key

    def buyer(self) -> LocalAccount:
        """A payer with 100 USDC."""
        return self.chain.funded_account()

    def offer(self, method: str, url: str) -> dict[str, Any]:
        """The decoded PAYMENT-REQUIRED of a route."""
        return decode(self.request(method, url).headers["payment-required"])

    def sign(self, account: LocalAccount, required: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """A signed payment, by the functions' clock."""
        return sign(account, required, now=time.time(), **kwargs)

    def _function(self, logical: str) -> LoadedFunction:
        properties = self.template["Resources"][logical]["Properties"]
        file = ROOT / properties["CodeUri"] / "app.py"
        told = {key: str(value) for key, value in self.values.of(environment(self.template, logical)).items()}
        runtime = {
            "AWS_LAMBDA_FUNCTION_NAME": self.resource(logical),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": self.aws_endpoint,
            "AWS_ENDPOINT_URL_LAMBDA": self._server.url,
            "LAMBDA_TASK_ROOT": str(file.parent),
        }
        return LoadedFunction(file.parent.name, file, told | runtime, properties["Timeout"], self.trace)

    def _invoked(self, physical: str, event: Any) -> Any:
        """Lambda's side of Invoke: another function of this stack, or one of the seller's."""
        if physical in self.sellers_functions:
            return self.sellers_functions[physical](event)
        try:
            return self.invoke(physical.removeprefix(f"{self.made.stack}-"), event)
        except Exception as error:
            self.failures.append(error)
            raise

    def _routed(self, method: str, path: str) -> tuple[str, str]:
        routes = {
            route["Properties"]["RouteKey"]: route["Properties"]["Target"]["Fn::Sub"]
            for route in of_type(self.template, "AWS::ApiGatewayV2::Route").values()
        }
        exact = (k for k in (f"{method} {path}", f"ANY {path}") if k in routes)
        # As API Gateway has it: an exact path goes before one with a parameter, which takes one segment.
        loose = (k for k in routes if "{" in k and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", k), f"ANY {path}"))
        key = [*exact, *loose, "$default"][0]
        integration = routes[key].removeprefix("integrations/${").removesuffix("}")
        target = self.template["Resources"][integration]["Properties"]["IntegrationUri"]["Fn::GetAtt"][0]
        return key, str(target).removesuffix("Function").lower()
