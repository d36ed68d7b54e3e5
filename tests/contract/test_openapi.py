"""docs/openapi.yaml against the real handlers: every documented status occurs, and what comes is what is written."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from eth_account import Account
from eth_account.signers.local import LocalAccount
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from local.chain import Chain
from tests.support.buyer import decode, encode, fresh_signature
from tests.support.functions import HOST, Functions
from tests.support.lambda_events import Reply
from tests.support.sellers import SETTLE, SUPPORTED, VERIFY, SellerElsewhere
from tests.support.upstream import CountingUpstream, answers, slowly
from tests.template.cfn import load, of_type
from tollgate.facilitator.openapi import OPENAPI_PATH
from tollgate.gateway.discovery.fixed import ENDPOINTS
from tollgate.gateway.executions import EXECUTIONS_PATH, MAX_RESULT_BYTES
from tollgate.gateway.history import REQUEST_ID
from tollgate.gateway.path_pattern import SITE_DOCUMENTS
from tollgate.gateway.result_links import RESULTS_PATH
from tollgate.ledger.dynamo import Table
from tollgate.ledger.tallies import Tallies
from tollgate.payment.identity import PaymentId
from tollgate.payment.price_choice import PriceChoice, Tier, Where
from tollgate.payment.record import Move
from tollgate.payment.routes import UpstreamTarget
from tollgate.payment.tally import History as Sale
from tollgate.wire.parse import parse_payment
from tollgate.wire.reasons import Reason

FILE = Path(__file__).parents[2] / "docs" / "openapi.yaml"
DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text())
REGISTRY: Registry[Any] = Registry().with_resource("urn:api", Resource(DOCUMENT, DRAFT202012))
CHALLENGE = "/x402/challenge"
HISTORY = "/x402/payments"
ANALYTICS = "/x402/analytics"
PAYMENTS, RECEIPTS, DID = "/x402/payments/{id}", "/x402/receipts/{transaction}", "/x402/did.json"
ID = "ab" * 32
OWNER: LocalAccount = Account.create()
ROUTE = "/weather/paris"
BROWSER = {"accept": "text/html", "user-agent": "Mozilla/5.0"}

Call = Callable[["Api"], Reply]


class Api:
    """A stack with a route and a seller."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        functions.sell("GET", "/weather/{city}", "http://127.0.0.1:9/{city}")
        functions.sell("POST", "/orders", "http://127.0.0.1:9/orders")
        functions.sell("GET", "/status", "http://127.0.0.1:9/status", free=True)
        tiers = PriceChoice(Where.QUERY, "size", (Tier("s", functions.terms(5)), Tier("l", functions.terms(50))), "s")
        functions.sell("GET", "/images", "http://127.0.0.1:9/images", choice=tiers)
        self.upstream = CountingUpstream()
        functions.sell("GET", "/report", self.upstream.url + "/report")
        functions.sell("POST", "/summaries", UpstreamTarget(self.upstream.url + "/summaries", 5.0, webhook=True))
        self.skew = functions.clock.skew
        self.seller = SellerElsewhere(functions)
        self._paid: tuple[LocalAccount, str, str] | None = None

    def paid(self) -> tuple[LocalAccount, str, str]:
        """A payer, and the id and the transaction of a settled payment; the same one every time."""
        if self._paid is None:
            upstream = CountingUpstream()
            try:
                self.functions.sell("GET", "/tea", upstream.url + "/tea")
                self.functions.cold("proxy")
                payer = self.functions.buyer()
                payment = self.functions.sign(payer, self.functions.offer("GET", "/tea"))
                answer = self.functions.request("GET", "/tea", payment=payment)
            finally:
                upstream.stop()
            digest = PaymentId.of(parse_payment(encode(payment))).digest
            self._paid = (payer, digest, decode(answer.headers["payment-response"])["transaction"])
        return self._paid

    def sign_in(self, account: LocalAccount, digest: str, *, age: float = 0) -> dict[str, str]:
        """The header of whoever asks for a record."""
        how = {"domain": HOST, "uri": f"https://{HOST}/", "version": "1", "type": "eip191", "requestId": digest}
        how["chainId"] = str(self.functions.chain.info.network)
        return {"sign-in-with-x": fresh_signature(account, how, now=time.time() - age)}

    def link(self) -> tuple[str, str]:
        """The path of the link that a new buyer gets, and its token."""
        self.upstream.behave(answers(202, b"at it", {"Location": "/jobs/7"}))
        payment = self.functions.sign(self.functions.buyer(), self.functions.offer("GET", "/report"))
        answer = self.functions.request("GET", "/report", payment=payment)
        assert answer.status == 202, answer.body
        self.upstream.behave(answers(200, b"done"))
        path = answer.headers["location"].removeprefix(f"https://{HOST}")
        return path, path.partition("=")[2]

    def sums(self, owner: str) -> str:
        """Let an owner have sold something today; the key of the sum."""
        now, asset = int(time.time()), self.functions.chain.asset.address.lower
        network = str(self.functions.chain.info.network)
        table = Table(self.functions.client("dynamodb"), self.functions.resource("AnalyticsTable"))
        moves = (Move("EXECUTING", now), Move("SETTLED", now))
        Tallies(table).count([Sale("1" * 64, "GET /tea", owner, network, asset, 10_000, moves)])
        return f"SUM#{now // 86_400}#{network}#{asset}#{owner}#GET /tea"

    def callback(self) -> str:
        """Where the workflow of a new buyer says its end: path and query."""
        self.upstream.behave(answers(202, b"{}"))
        payment = self.functions.sign(self.functions.buyer(), self.functions.offer("POST", "/summaries"))
        assert self.functions.request("POST", "/summaries", payment=payment).status == 202
        self.upstream.behave(answers(200, b"done"))
        headers = {name.lower(): value for name, value in self.upstream.seen[-1][2].items()}
        return headers["x-payment-callback"].removeprefix(f"https://{HOST}")

    def envelope(self) -> dict[str, Any]:
        """A new payment."""
        return self.seller.envelope(self.seller.payment(self.functions.buyer()))

    def broken(self, function: str, table: str, item: dict[str, Any], call: Callable[[], Reply]) -> Reply:
        """The answer of a cold function while an item cannot be read."""
        dynamo, name = self.functions.client("dynamodb"), self.functions.resource(table)
        before = dynamo.get_item(TableName=name, Key={"pk": item["pk"]}).get("Item")
        dynamo.put_item(TableName=name, Item=item)
        self.functions.cold(function)
        try:
            return call()
        finally:
            if before is None:
                dynamo.delete_item(TableName=name, Key={"pk": item["pk"]})
            else:
                dynamo.put_item(TableName=name, Item=before)
            self.functions.cold(function)


@pytest.fixture(scope="module")
def api(aws_endpoint: str, shared_chain: Chain) -> Iterator[Api]:
    """The functions behind the document."""
    with Functions(aws_endpoint, shared_chain) as functions:
        made = Api(functions)
        yield made
        made.upstream.stop()


def get(url: str, **headers: str) -> Call:
    """A GET."""
    return lambda api: api.functions.request("GET", url, headers=headers)


def no_gas(api: Api) -> Reply:
    """Challenge while no network can be settled on."""
    status = '{"network":"eip155:84532","relayers":[],"hasGas":false,"checkedAt":1}'
    item = {"pk": {"S": "NETWORK#eip155:84532"}, "status": {"S": status}, "checked_at": {"N": "1"}}
    return api.broken("challenge", "RoutesTable", item, lambda: get(f"{CHALLENGE}?path={ROUTE}")(api))


def bad_status(function: str, url: str) -> Call:
    """A GET while the status of a network cannot be read."""
    return bad_status_of(function, get(url))


def bad_status_of(function: str, call: Call) -> Call:
    """The same of another request."""
    item = {"pk": {"S": "NETWORK#eip155:84532"}, "status": {"S": "{}"}, "checked_at": {"N": "1"}}
    return lambda api: api.broken(function, "RoutesTable", item, lambda: call(api))


def bad_seller(function: str, path: str) -> Call:
    """A POST while the seller cannot be read."""

    def call(api: Api) -> Reply:
        item = {"pk": {"S": f"SELLER#{api.seller.name}"}, "seller": {"S": "{}"}, "version": {"N": "1"}}
        return api.broken(function, "SellersTable", item, lambda: api.seller.post(path, api.envelope()))

    return call


def posted(path: str, version: int) -> Call:
    """A payment, in either version."""

    def call(api: Api) -> Reply:
        payment = api.seller.payment(api.functions.buyer())
        message = api.seller.envelope(payment) if version == 2 else api.seller.envelope_v1(payment)
        return api.seller.post(path, message)

    return call


def refused(path: str) -> Call:
    """A payment that the key does not cover."""
    return lambda api: api.seller.post(
        path,
        api.seller.envelope(api.seller.payment(api.functions.buyer(), api.seller.requirements(payTo="0x" + "1" * 40))),
    )


def link(change: Callable[["Api", str], None] | None = None, **options: Any) -> Call:
    """A GET of a paid result's link, after something happened to it."""

    def call(api: Api) -> Reply:
        path, token = api.link()
        if change is not None:
            change(api, token)
        try:
            return api.functions.request("GET", path, **options)
        finally:
            api.upstream.behave(answers(200, b"done"))
            api.functions.clock.skew = api.skew

    return call


def record(api: Api) -> Reply:
    """A payer asks how a payment stands."""
    payer, digest, _ = api.paid()
    return api.functions.request("GET", f"/x402/payments/{digest}", headers=api.sign_in(payer, digest))


def receipt(query: str = "") -> Call:
    """A payer asks for a receipt."""

    def call(api: Api) -> Reply:
        payer, digest, transaction = api.paid()
        url = f"/x402/receipts/{transaction}{query}"
        return api.functions.request("GET", url, headers=api.sign_in(payer, digest))

    return call


def reversed_receipt(api: Api) -> Reply:
    """The same, of a payment whose block is gone."""
    key = {"pk": {"S": f"PAY#{api.paid()[1]}"}}
    table = api.functions.resource("PaymentsTable")
    before = api.functions.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
    changed = before | {"state": {"S": "REVERSED"}}
    return api.broken("records", "PaymentsTable", changed, lambda: receipt()(api))


def broken_record(url: str) -> Call:
    """A payment whose item cannot be read."""
    item = {"pk": {"S": f"PAY#{ID}"}}

    def call(api: Api) -> Reply:
        signed = api.sign_in(api.functions.buyer(), ID)
        return api.broken("records", "PaymentsTable", item, lambda: get(url, **signed)(api))

    return call


def receipt_of_a_chain_that_is_down(api: Api) -> Reply:
    """The RPC secret names an endpoint where nobody listens."""
    made, network = api.functions.made, str(api.functions.chain.info.network)
    api.paid()
    made.put_secret(made.rpc_secret, {network: ["http://127.0.0.1:9"]})
    api.functions.cold("records")
    try:
        return receipt("?check=chain")(api)
    finally:
        made.put_secret(made.rpc_secret, {network: [api.functions.chain.url]})
        api.functions.cold("records")


def did_without_a_key(api: Api) -> Reply:
    """Records whose key is not told."""
    loaded = api.functions.loaded["records"]
    told = loaded.environment
    loaded.environment = {**told, "TOLLGATE_RECEIPT_KEY": ""}
    api.functions.cold("records")
    try:
        return get(DID)(api)
    finally:
        loaded.environment = told
        api.functions.cold("records")


def stale(url: str) -> Call:
    """With a signature of an hour ago."""
    return lambda api: get(url, **api.sign_in(api.functions.buyer(), ID, age=3600))(api)


def history(query: str = "") -> Call:
    """A payer asks for the own payments."""
    return lambda api: get(f"{HISTORY}{query}", **api.sign_in(api.paid()[0], REQUEST_ID))(api)


def broken_history(api: Api) -> Reply:
    """The payer's only payment cannot be read."""
    digest = api.paid()[1]
    table, key = api.functions.resource("PaymentsTable"), {"pk": {"S": f"PAY#{digest}"}}
    before = api.functions.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
    unreadable = {name: value for name, value in before.items() if name != "identity"}
    return api.broken("records", "PaymentsTable", unreadable, lambda: history()(api))


def sums(query: str = "") -> Call:
    """The owner of a route that sold asks what it earned."""

    def call(api: Api) -> Reply:
        api.sums(OWNER.address.lower())
        return get(f"{ANALYTICS}{query}", **api.sign_in(OWNER, "analytics"))(api)

    return call


def ended(*said: tuple[str, bytes], change: Callable[["Api", str], None] | None = None) -> Call:
    """A workflow says its end, once or again: the query's end and the body of each."""

    def call(api: Api) -> Reply:
        callback = api.callback()
        if change is not None:
            change(api, callback)
        try:
            replies = [api.functions.request("POST", callback + more, body=body) for more, body in said]
        finally:
            api.functions.clock.skew = api.skew
        return replies[-1]

    return call


def broken_sums(api: Api) -> Reply:
    """A row of the sums that cannot be read."""
    key = api.sums(OWNER.address.lower())
    table = api.functions.resource("AnalyticsTable")
    before = api.functions.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": key}})["Item"]
    unreadable = {name: value for name, value in before.items() if name != "network"}
    return api.broken("analytics", "AnalyticsTable", unreadable, lambda: sums()(api))


def later(api: "Api", _: str) -> None:
    """After the link's day."""
    api.functions.clock.skew += 86_401


def unsettled(api: "Api", token: str) -> None:
    """Its payment is gone from the books, as after a reorganisation."""
    dynamo, table = api.functions.client("dynamodb"), api.functions.resource("PaymentsTable")
    for item in dynamo.scan(TableName=table)["Items"]:
        if item["pk"]["S"].startswith("PAY#") and item["state"]["S"] == "SETTLED":
            dynamo.delete_item(TableName=table, Key={"pk": item["pk"]})


CASES: list[tuple[str, str, int, Call]] = [
    (CHALLENGE, "get", 200, get(f"{CHALLENGE}?path=/status")),
    (CHALLENGE, "get", 402, get(f"{CHALLENGE}?path={ROUTE}")),
    (CHALLENGE, "get", 402, get(f"{CHALLENGE}?path={ROUTE}", **BROWSER)),
    (CHALLENGE, "get", 400, get(CHALLENGE)),
    (CHALLENGE, "get", 404, get(f"{CHALLENGE}?path=/nothing")),
    (CHALLENGE, "get", 405, get(f"{CHALLENGE}?path=/orders&method=GET")),
    (CHALLENGE, "get", 500, bad_status("challenge", f"{CHALLENGE}?path={ROUTE}")),
    (CHALLENGE, "get", 503, no_gas),
    (HISTORY, "get", 200, history()),
    (HISTORY, "get", 200, history("?format=csv")),
    (HISTORY, "get", 400, history("?limit=0")),
    (HISTORY, "get", 403, get(HISTORY)),
    (HISTORY, "get", 403, stale(HISTORY)),
    (HISTORY, "get", 431, get(HISTORY, **{"sign-in-with-x": "A" * 8196})),
    (HISTORY, "get", 500, broken_history),
    (ANALYTICS, "get", 200, sums()),
    (ANALYTICS, "get", 200, sums("?by=route,day")),
    (ANALYTICS, "get", 400, sums("?by=payer")),
    (ANALYTICS, "get", 403, get(ANALYTICS)),
    (ANALYTICS, "get", 403, stale(ANALYTICS)),
    (ANALYTICS, "get", 431, get(ANALYTICS, **{"sign-in-with-x": "A" * 8196})),
    (ANALYTICS, "get", 500, broken_sums),
    (PAYMENTS, "get", 200, record),
    (RECEIPTS, "get", 200, receipt()),
    (RECEIPTS, "get", 200, receipt("?check=chain")),
    (RECEIPTS, "get", 409, reversed_receipt),
    (RECEIPTS, "get", 503, receipt_of_a_chain_that_is_down),
    *(
        case
        for path, url in ((PAYMENTS, f"/x402/payments/{ID}"), (RECEIPTS, f"/x402/receipts/0x{ID}"))
        for case in (
            (path, "get", 400, get(f"{url}?check=everything")),
            (path, "get", 400, get(url, **{"sign-in-with-x": "e30="})),
            (path, "get", 403, stale(url)),
            (path, "get", 404, get(url)),
            (path, "get", 431, get(url, **{"sign-in-with-x": "A" * 8196})),
            (path, "get", 500, broken_record(url)),
        )
    ),
    (DID, "get", 200, get(DID)),
    (DID, "get", 400, get(f"{DID}?a=b")),
    (DID, "get", 500, did_without_a_key),
    (EXECUTIONS_PATH, "post", 200, ended(("", b"{}"))),
    (EXECUTIONS_PATH, "post", 200, ended(("&outcome=failed", b""))),
    (EXECUTIONS_PATH, "post", 404, ended(("&outcome=done", b""))),
    (EXECUTIONS_PATH, "post", 404, ended(("", b""), change=later)),
    (EXECUTIONS_PATH, "post", 409, ended(("", b"{}"), ("", b"[]"))),
    (EXECUTIONS_PATH, "post", 413, ended(("", b" " * (MAX_RESULT_BYTES + 1)))),
    (EXECUTIONS_PATH, "post", 500, bad_status_of("proxy", lambda api: api.functions.request("POST", EXECUTIONS_PATH))),
    (RESULTS_PATH, "get", 200, link()),
    (RESULTS_PATH, "get", 202, link(lambda api, _: api.upstream.behave(answers(202, b"not yet")))),
    (RESULTS_PATH, "get", 404, get(f"{RESULTS_PATH}?token={'0' * 32}")),
    (RESULTS_PATH, "get", 410, link(later)),
    (RESULTS_PATH, "get", 500, bad_status("proxy", f"{RESULTS_PATH}?token={'0' * 32}")),
    (RESULTS_PATH, "get", 502, link(lambda api, _: api.upstream.behave(answers(302, headers={"Location": "/"})))),
    (RESULTS_PATH, "get", 503, link(unsettled)),
    (RESULTS_PATH, "get", 504, link(lambda api, _: api.upstream.behave(slowly(3.0)), seconds=5.0)),
    *(
        case
        for path, query, function in (
            ("/x402/config", "", "discovery"),
            ("/.well-known/x402", "", "discovery"),
            ("/discovery/resources", "", "discovery"),
            ("/discovery/search", "?query=images", "discovery"),
            ("/openapi.json", "", "proxy"),
            ("/llms.txt", "", "proxy"),
        )
        for case in (
            (path, "get", 200, get(path + query)),
            (path, "get", 500, bad_status(function, path + query)),
        )
    ),
    ("/discovery/resources", "get", 400, get("/discovery/resources?limit=0")),
    ("/discovery/search", "get", 400, get("/discovery/search")),
    (SUPPORTED, "get", 200, get(SUPPORTED)),
    (SUPPORTED, "get", 500, bad_status("supported", SUPPORTED)),
    (OPENAPI_PATH, "get", 200, get(OPENAPI_PATH)),
    *(
        case
        for path, function in ((VERIFY, "verify"), (SETTLE, "settle"))
        for case in (
            (path, "post", 200, posted(path, 2)),
            (path, "post", 200, posted(path, 1)),
            (path, "post", 200, refused(path)),
            (path, "post", 400, lambda api, path=path: api.seller.post(path, b"{")),
            (path, "post", 401, lambda api, path=path: api.seller.post(path, api.envelope(), key="")),
            (path, "post", 413, lambda api, path=path: api.seller.post(path, b" " * 65_537)),
            (path, "post", 500, bad_seller(function, path)),
        )
    ),
]


def resolved(value: Any) -> Any:
    """What a reference in the document points to."""
    while isinstance(value, dict) and "$ref" in value:
        target: Any = DOCUMENT
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        value = target
    return value


def check(instance: Any, schema: Any) -> None:
    """Validate against a schema of the document."""
    inside = {"$ref": f"urn:api{schema['$ref']}"} if "$ref" in schema else schema
    Draft202012Validator(inside, registry=REGISTRY).validate(instance)


def media() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every media type of the document that has a schema, with its place."""

    def walk(place: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        if isinstance(value, dict):
            for name, inner in value.items():
                if name == "content":
                    yield from ((f"{place}/{kind}", said) for kind, said in inner.items())
                else:
                    yield from walk(f"{place}/{name}", inner)

    return walk("", {"paths": DOCUMENT["paths"], "components": DOCUMENT["components"]})


def test_the_document_is_openapi_with_sound_schemas() -> None:
    """An independent reader takes it, and every schema is one."""
    assert DOCUMENT["openapi"] == "3.1.0"
    operations = [found.ok().label for found in schemathesis.openapi.from_path(FILE).get_all_operations()]
    assert sorted(operations) == [
        "GET /.well-known/x402",
        "GET /discovery/resources",
        "GET /discovery/search",
        "GET /llms.txt",
        "GET /openapi.json",
        "GET /x402/analytics",
        "GET /x402/challenge",
        "GET /x402/config",
        "GET /x402/did.json",
        "GET /x402/facilitator/openapi.json",
        "GET /x402/facilitator/supported",
        "GET /x402/payments",
        "GET /x402/payments/{id}",
        "GET /x402/receipts/{transaction}",
        "GET /x402/results",
        "POST /x402/executions",
        "POST /x402/facilitator/settle",
        "POST /x402/facilitator/verify",
    ]
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_example_validates() -> None:
    """In requests, answers and parameters."""
    count = 0
    for place, said in media():
        examples = [said["example"]] if "example" in said else []
        examples += [example["value"] for example in said.get("examples", {}).values()]
        for example in examples:
            check(example, said["schema"])
        assert examples or place.endswith(("text/html", "*/*")), place
        count += len(examples)
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            for parameter in map(resolved, operation.get("parameters", [])):
                # A signature cannot be made up.
                assert "example" in parameter or parameter["in"] == "header", parameter["name"]
                if "example" in parameter:
                    check(parameter["example"], parameter["schema"])
                    count += 1
    assert count >= 45


def test_the_examples_sent_are_those_that_events_send() -> None:
    """One payment, really signed; see the tests of events/."""
    examples = DOCUMENT["components"]["requestBodies"]["Envelope"]["content"]["application/json"]["examples"]
    for version, name in (("v2", "verify_post"), ("v1", "verify_post_v1")):
        event = yaml.safe_load((FILE.parents[1] / "events" / f"{name}.json").read_text())
        assert examples[version]["value"] == yaml.safe_load(event["body"])


def test_the_reasons_are_those_of_the_code() -> None:
    """A closed set."""
    assert sorted(DOCUMENT["components"]["schemas"]["Reason"]["enum"]) == sorted(reason.value for reason in Reason)


def test_the_paths_are_those_of_the_template() -> None:
    """Each has a route of its own in front of its function, but for those that the proxy answers."""
    proxied = {EXECUTIONS_PATH, RESULTS_PATH, *SITE_DOCUMENTS}
    keys = {route["Properties"]["RouteKey"] for route in of_type(load(), "AWS::ApiGatewayV2::Route").values()}
    # The admin API has a document of its own: tests/contract/test_admin_openapi.py.
    own = {key for key in keys if "/x402/admin/" not in key}
    assert {f"ANY {path}" for path in DOCUMENT["paths"] if path not in proxied} == own - {"$default"}
    assert proxied <= set(DOCUMENT["paths"])


def test_the_gateways_own_openapi_lists_the_same_endpoints() -> None:
    """Path, method, id, summary, statuses and parameters with their schemas."""
    documented = {}
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            parameters = [resolved(parameter) for parameter in operation.get("parameters", [])]
            documented[path, method] = (
                operation["operationId"],
                operation["summary"],
                {int(status) for status in operation["responses"]},
                {one["name"] for one in parameters},
                {one["name"] for one in parameters if one.get("required")},
                "security" in operation,
            )
    listed = {
        (one.path, one.method): (
            one.id,
            one.summary,
            set(one.answers),
            set(one.parameters),
            set(one.needed),
            one.keyed,
        )
        for one in ENDPOINTS
    }
    assert listed == {key: said for key, said in documented.items() if key[0] not in SITE_DOCUMENTS}


def test_every_documented_status_has_its_case() -> None:
    """And no case tries what is not documented."""
    documented = {
        (path, method, int(status))
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        for status in operation["responses"]
    }
    assert {case[:3] for case in CASES} == documented


@pytest.mark.parametrize(
    ("path", "method", "status", "call"), CASES, ids=[f"{case[0]}-{case[2]}-{n}" for n, case in enumerate(CASES)]
)
def test_what_is_documented_occurs_and_looks_like_it(api: Api, path: str, method: str, status: int, call: Call) -> None:
    """Status, headers, content type and body."""
    reply = call(api)
    assert reply.status == status
    said = resolved(DOCUMENT["paths"][path][method]["responses"][str(status)])
    kind = reply.headers["content-type"].partition(";")[0]
    content = said["content"].get(kind) or said["content"]["*/*"]
    check(reply.json() if kind == "application/json" else reply.body.decode(), content["schema"])
    for name, referred in said.get("headers", {}).items():
        header = resolved(referred)
        value = reply.headers[name.lower()]
        check(int(value) if header["schema"].get("type") == "integer" else value, header["schema"])
