"""A routes.yaml is right, or every thing that is wrong with it is said at once, by line and field."""

from dataclasses import replace
from pathlib import Path
from textwrap import dedent, indent

import pytest

from tollgate.gateway.catalogue import Catalogue, Snapshot
from tollgate.gateway.declaring import prices
from tollgate.gateway.declaring.changes import changes
from tollgate.gateway.declaring.facts import StackFacts, stand_in
from tollgate.gateway.declaring.problems import WrongFile
from tollgate.payment.networks import network_info
from tollgate.payment.routes import FunctionTarget, Route, UpstreamHeader, UpstreamTarget
from tollgate.payment.states import Flow
from tollgate.wire.primitives import Address
from tollgate_cli.routes_file import RoutesFile, read_routes_file

EXAMPLES = Path(__file__).parents[3] / "examples"
PAY_TO = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
STACK = StackFacts(
    networks=(network_info("base-sepolia"),),
    asset="USDC",
    pay_to=Address.parse("0x" + "5e" * 20),
    allow_private_upstreams=False,
    base_url="https://pay.example.com",
    secret_prefix="tollgate/upstream/",
)
LOCAL = replace(STACK, networks=(network_info("base-sepolia"), network_info("local")), allow_private_upstreams=True)
MAIN = replace(STACK, networks=(network_info("base"),))
FUNCTIONS = "arn:aws:lambda:eu-central-1:123456789012:function:"
GOOD = """\
method: GET
path: /weather/{city}
price: "$0.01"
upstream:
  url: https://api.example.com/v1/{city}
"""


def read(tmp_path: Path, text: str, facts: StackFacts = STACK) -> RoutesFile:
    """Read a text as a file."""
    file = tmp_path / "routes.yaml"
    file.write_text(text, encoding="utf-8")
    return read_routes_file(file, facts)


def one(tmp_path: Path, route: str, facts: StackFacts = STACK) -> Route:
    """Read a file with one route, whose fields start on line 3."""
    (found,) = read(tmp_path, "version: 1\nroutes:\n" + _item(route), facts).routes
    return found


def _item(route: str) -> str:
    return "  - " + indent(route, "    ")[4:]


def problems(tmp_path: Path, text: str, facts: StackFacts = STACK) -> list[str]:
    """What is wrong, without the file's name."""
    with pytest.raises(WrongFile) as wrong:
        read(tmp_path, text, facts)
    assert wrong.value.problems
    return [p.text("") for p in wrong.value.problems]


def problem_of(tmp_path: Path, route: str, facts: StackFacts = STACK) -> str:
    """The one problem of a file with one route."""
    (found,) = problems(tmp_path, "version: 1\nroutes:\n" + _item(route), facts)
    return found


def test_the_shortest_route_takes_the_stacks_own_choices(tmp_path: Path) -> None:
    """Networks, token and payTo of the stack; the id says method and path."""
    route = one(tmp_path, GOOD)
    (offer,) = route.accepts
    assert (route.id, route.method, route.pattern) == ("GET /weather/{city}", "GET", "/weather/{city}")
    assert (str(offer.network), offer.amount, offer.pay_to) == ("eip155:84532", 10_000, STACK.pay_to)
    assert offer.extra == {"name": "USDC", "version": "2"}
    assert (offer.max_timeout_seconds, route.upstream.timeout_seconds) == (60, 10.0)
    assert route.upstream.headers == ()
    assert route.source_address_resends is True


def test_the_dearest_amount_that_sums_of_payments_leave_room_for(tmp_path: Path) -> None:
    """DynamoDB adds in numbers of 38 digits; one atomic unit more is refused."""
    route = one(tmp_path, GOOD.replace('"$0.01"', f'{{amount: "{"9" * 30}", asset: USDC}}'))
    assert route.accepts[0].amount == 10**30 - 1


def test_the_example_holds_everything_that_can_be_said(tmp_path: Path) -> None:
    """And it is served by the catalogue as it stands."""
    facts = replace(
        STACK, function_prefix=FUNCTIONS, function_arns=(FUNCTIONS + "factors", FUNCTIONS + "price-translation")
    )
    routes = read_routes_file(EXAMPLES / "routes.yaml", facts).routes
    Catalogue(Snapshot(routes))
    full = routes[1]
    assert (full.id, full.method, full.accepts[0].amount) == ("forecast", "POST", 25_000)
    assert str(full.accepts[0].pay_to) == PAY_TO
    assert (full.mime_type, full.source_address_resends) == ("application/json", False)
    assert isinstance(full.upstream, UpstreamTarget)
    secret = UpstreamHeader("X-Api-Key", secret="tollgate/upstream/weather")
    assert full.upstream.headers == (UpstreamHeader("X-Tenant", value="tollgate"), secret)
    assert full.upstream.timeout_seconds == 8.0
    assert routes[-1].upstream == FunctionTarget(FUNCTIONS + "factors", 5.0)


def test_networks_are_names_or_caip2_ids_and_domains_are_pinned_per_network(tmp_path: Path) -> None:
    """Base's USDC signs as "USD Coin"; no file can say otherwise."""
    both = one(tmp_path, GOOD + "networks: [base-sepolia, eip155:31337]\n", LOCAL)
    assert [str(r.network) for r in both.accepts] == ["eip155:84532", "eip155:31337"]
    main = one(tmp_path, GOOD, MAIN)
    assert main.accepts[0].extra["name"] == "USD Coin"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "method: GET",
            "method: get",
            ":3: routes[0].method: must be one of GET, POST, PUT, PATCH, DELETE (did",
        ),
        ("method: GET", "method: HEAD", ":3: routes[0].method: HEAD buys nothing"),
        ("method: GET", "method: ANY", ":3: routes[0].method: must be one of"),
        ("method: GET\n", "", ":3: routes[0].method: is missing"),
        (
            "method: GET",
            "metod: GET\nmethod: GET",
            ":3: routes[0].metod: is not a known field (did you mean method?)",
        ),
        (
            "method: GET",
            "method: GET\nmethod: GET",
            ":4: routes[0].method: stands there twice; first on line 3",
        ),
        ("path: /weather/{city}", "path: /x402/{city}", ":4: routes[0].path: is under /x402/"),
        ("path: /weather/{city}", "path: weather/{city}", ":4: routes[0].path: must start with a slash"),
        ("path: /weather/{city}", "path: /a//{city}", ":4: routes[0].path: has an empty segment"),
        ('price: "$0.01"', "price: 0.01", ":5: routes[0].price: must be a text such as"),
        ('price: "$0.01"', "price: $0", ":5: routes[0].price: must be over 0"),
        ('price: "$0.01"', "price: $0.0000001", ":5: routes[0].price: has more than the 6 decimals"),
        ('price: "$0.01"', "price: -1", ":5: routes[0].price: must be"),
        (
            'price: "$0.01"',
            "price:\n  amount: 010\n  asset: USDC",
            ":6: routes[0].price.amount: must be text",
        ),
        ('price: "$0.01"', 'price: {amount: "0", asset: USDC}', ":5: routes[0].price.amount: must be over 0"),
        (
            'price: "$0.01"',
            f'price: {{amount: "1{"0" * 30}", asset: USDC}}',
            ":5: routes[0].price.amount: must be under 10^30 atomic units",
        ),
        ('price: "$0.01"', f"price: $1{'0' * 24}", ":5: routes[0].price: must be under 10^30 atomic units"),
        ('price: "$0.01"', 'price: {amount: "1"}', ":5: routes[0].price.asset: is missing"),
        (
            'price: "$0.01"',
            'price: {amount: "1", asset: EURC}',
            ":5: routes[0].price.asset: asset EURC is not known",
        ),
        (
            'price: "$0.01"',
            f'price: {{amount: "1", asset: "{PAY_TO}"}}',
            ":5: routes[0].price.asset: asset 0x209693Bc6afc0C5328bA36FaF03C514EF312287C is not known",
        ),
        ("https://api", "http://api", ":7: routes[0].upstream.url: is http://, not https://"),
        ("api.example.com", "10.0.0.1", ":7: routes[0].upstream.url: goes to the private address"),
        ("api.example.com", "169.254.169.254", ":7: routes[0].upstream.url: goes to the private address"),
        ("api.example.com", '"[::1]"', ":7: routes[0].upstream.url: must be an absolute URL"),
        ("api.example.com", "[::ffff:10.0.0.1]", ":7: routes[0].upstream.url: goes to the private address"),
        ("api.example.com", "localhost", ":7: routes[0].upstream.url: goes to the private name"),
        ("api.example.com", "db.internal", ":7: routes[0].upstream.url: goes to the private name"),
        (
            "api.example.com",
            "2130706433",
            ":7: routes[0].upstream.url: has the host '2130706433', which is no",
        ),
        (
            "api.example.com",
            "0x7f.1",
            ":7: routes[0].upstream.url: has the host '0x7f.1', which is no host name",
        ),
        ("api.example.com", "me:pw@api.example.com", ":7: routes[0].upstream.url: must not hold a user"),
        ("/v1/{city}", "/v1/{town}", ":7: routes[0].upstream.url: uses {town}, which is not a param"),
        ("/v1/{city}", "/v1/{city}.json", ":7: routes[0].upstream.url: has the segment '{city}.json'"),
        ("/v1/{city}", "/v1/../{city}", ":7: routes[0].upstream.url: has the segment '..'"),
        ("/v1/{city}", "/v1/%2e", ":7: routes[0].upstream.url: has the segment '%2e'"),
        ("/v1/{city}", "//v1/{city}", ":7: routes[0].upstream.url: must not hold an empty segment"),
        ("/v1/{city}", "/v1?key=1", ":7: routes[0].upstream.url: must not hold a query"),
        (
            "https://api.example.com/v1/{city}",
            "ftp://api.example.com/",
            ":7: routes[0].upstream.url: must be an abs",
        ),
        (
            "https://api.example.com/v1/{city}",
            "https://a:99999/",
            ":7: routes[0].upstream.url: must be an absolute",
        ),
    ],
)
def test_a_wrong_value_is_named_by_line_and_field(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """One sabotage of the shortest route, one problem (threats 26, 87, 88)."""
    assert old in GOOD
    assert problem_of(tmp_path, GOOD.replace(old, new)).startswith(expected)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("flow: later", "routes[0].flow: must be authorization or upfront"),
        ("flow: upfrnt", "routes[0].flow: must be authorization or upfront (did you mean upfront?)"),
        ("irreversible: 1", "routes[0].irreversible: must be true or false"),
        ("slow: maybe", "routes[0].slow: must be true or false"),
        (
            "slow: true",
            "routes[0].slow: work that outlasts a request must be paid for before its upstream",
        ),
        ("flow: authorization\nslow: true", "routes[0].flow: work that outlasts a request must be paid for before"),
        (
            "irreversible: true",
            "routes[0].irreversible: what cannot be undone must be paid for before it runs: set flow",
        ),
        ("id: a/b", "routes[0].id: must be 1 to 64 letters"),
        ("mimeType: json", "routes[0].mimeType: must be a media type"),
        ("description: 12", 'routes[0].description: must be text, not a number: quote it ("12")'),
        ('description: "a\\nb"', "routes[0].description: must be one line"),
        ("sourceAddressResends: yes", "routes[0].sourceAddressResends: must be true or false"),
        ("maxTimeoutSeconds: 24", "routes[0].maxTimeoutSeconds: must be at least 25"),
        ("maxTimeoutSeconds: 601", "routes[0].maxTimeoutSeconds: must be a number of seconds from 1 to 600"),
        ("maxTimeoutSeconds: 60.5", "routes[0].maxTimeoutSeconds: must be whole seconds"),
        ("maxTimeoutSeconds: 1:30", "routes[0].maxTimeoutSeconds: must be a number of seconds"),
        ("networks: base-sepolia", "routes[0].networks: must be a list of networks"),
        ("networks: []", "routes[0].networks: must be a list of networks"),
        ("networks: [base-sepola]", "routes[0].networks[0]: network base-sepola is not known; known: base"),
        (
            "networks: [base]",
            "routes[0].networks[0]: base is not a network of this stack; it has base-sepolia",
        ),
        ("networks: [base-sepolia, eip155:84532]", "routes[0].networks[1]: names base-sepolia twice"),
        ("networks: [eip155:10]", "routes[0].networks[0]: network eip155:10 is not known"),
        ('payTo: "0x12"', "routes[0].payTo: must be 0x and 40 hex digits"),
        (f"payTo: 0x{'0' * 40}", "routes[0].payTo: must be text"),
        (f'payTo: "0x{"0" * 40}"', "routes[0].payTo: is the zero address"),
        (f'payTo: "{PAY_TO[:-1]}c"', "routes[0].payTo: has a wrong checksum"),
        ('payTo: "0x036cbd53842c5426634e7929541ec2318f3dcf7e"', "routes[0].payTo: is the token USDC itself"),
    ],
)
def test_a_wrong_optional_field_is_named_too(tmp_path: Path, more: str, expected: str) -> None:
    """Each on the line where it stands."""
    assert problem_of(tmp_path, GOOD + more + "\n").startswith(f":8: {expected}")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("timeoutSeconds: 0", "timeoutSeconds: must be a number of seconds from 0.1 to 20"),
        ("timeoutSeconds: 20.5", "timeoutSeconds: must be a number of seconds from 0.1 to 20"),
        ('timeoutSeconds: "5"', "timeoutSeconds: must be a number of seconds"),
        ("timeoutSeconds: .inf", "timeoutSeconds: must be a number of seconds"),
        ("retries: 3", "retries: is not a known field; known: url, timeoutSeconds, headers, health, secretHeader"),
        ("secretHeader: {name: X-Key}", "secretHeader.secret: is missing"),
        (
            "secretHeader: {name: Host, secret: tollgate/upstream/a}",
            "secretHeader.name: Host belongs to the proxy",
        ),
        (
            "secretHeader: {name: payment-signature, secret: tollgate/upstream/a}",
            "secretHeader.name: payment-signa",
        ),
        (
            'secretHeader: {name: "X: y", secret: tollgate/upstream/a}',
            "secretHeader.name: must be a header name",
        ),
        (
            "secretHeader: {name: X-Key, secret: other/a}",
            "secretHeader.secret: the proxy may only read secrets that",
        ),
        (
            'secretHeader: {name: X-Key, secret: "s3cr et!"}',
            "secretHeader.secret: must be the name of a secret",
        ),
        *(
            (f'health: "{path}"', "health: must be a path on the upstream's own origin")
            for path in (
                "healthz",
                "",
                "//b.example/up",
                "/a?b",
                "/a b",
                "/../up",
                "https://b.example/up",
                "/{city}",
            )
        ),
        ("headers: {}", "headers: must be 1 to 10 header names"),
        ("headers: [X-Tenant]", "headers: must be 1 to 10 header names"),
        ("headers: {" + ", ".join(f"X-{n}: a" for n in range(11)) + "}", "headers: must be 1 to 10 header names"),
        ("headers: {Host: a.example}", "headers.Host: Host belongs to the proxy"),
        ("headers: {Transfer_Encoding: chunked}", "headers.Transfer_Encoding: Transfer_Encoding belongs to the proxy"),
        ("headers: {X-Paid-By: me}", "headers.X-Paid-By: X-Paid-By belongs to the proxy"),
        ("headers: {X-Version: 2}", "headers.X-Version: must be text, not a number: quote it"),
        ('headers: {X-Tenant: " a"}', "headers.X-Tenant: must be 1 to 1024 visible ASCII characters"),
        ("headers: {X-Tenant: é}", "headers.X-Tenant: must be 1 to 1024 visible ASCII characters"),
        ("headers: {X-Api-Key: s3cret}", "headers.X-Api-Key: looks like a credential"),
        ("headers: {Authorization: Bearer abc}", "headers.Authorization: looks like a credential"),
        ("headers: {X-Api-Key: {secret: other/a}}", "headers.X-Api-Key.secret: the proxy may only read secrets that"),
        ("headers: {X-Api-Key: {}}", "headers.X-Api-Key.secret: is missing"),
        ("headers: {X-Tenant: a, X_TENANT: b}", "headers.X_TENANT: X_TENANT stands there twice"),
    ],
)
def test_a_wrong_upstream_field_is_named_too(tmp_path: Path, more: str, expected: str) -> None:
    """Inside upstream."""
    assert problem_of(tmp_path, GOOD + f"  {more}\n").startswith(f":8: routes[0].upstream.{expected}")


def test_a_webhook_is_an_upstream_that_starts_a_workflow(tmp_path: Path) -> None:
    """In the place of an URL, by the same rules; never beside one."""
    url = "https://n8n.example.com/webhook/summarize"
    text = GOOD.replace("url: https://api.example.com/v1/{city}", f"webhook: {url}")
    assert one(tmp_path, text).upstream == UpstreamTarget(url, 10.0, webhook=True)
    (problem,) = changes([one(tmp_path, GOOD)], [one(tmp_path, text)])
    assert problem.fields == (("upstream", "https://api.example.com/v1/{city}", f"webhook {url}"),)
    assert "upstream.webhook: goes to the private name" in problem_of(
        tmp_path, text.replace(".example.com", ".internal")
    )
    assert "upstream.url: is not a known field" in problem_of(tmp_path, text + "  url: https://api.example.com/\n")


def test_headers_are_fixed_values_and_names_of_secrets(tmp_path: Path) -> None:
    """In the file's order; ``secretHeader``, which came first, is one more."""
    more = (
        "  headers: {Accept: text/plain, Authorization: {secret: tollgate/upstream/a}}\n"
        "  secretHeader: {name: X-Key, secret: tollgate/upstream/b}\n"
    )
    upstream = one(tmp_path, GOOD + more).upstream
    assert isinstance(upstream, UpstreamTarget)
    assert upstream.headers == (
        UpstreamHeader("Accept", value="text/plain"),
        UpstreamHeader("Authorization", secret="tollgate/upstream/a"),
        UpstreamHeader("X-Key", secret="tollgate/upstream/b"),
    )


def test_all_problems_come_at_once_in_the_files_order(tmp_path: Path) -> None:
    """Nobody mends a file one error at a time."""
    text = dedent("""\
        version: 2
        routes:
          - method: FETCH
            path: a
            price: cheap
            prize: "$1"
            upstream: {url: nowhere, timeoutSeconds: 99}
          - 7
        router: []
        """)
    found = problems(tmp_path, text)
    assert [f.split(": ")[0] + f.split(": ")[1] for f in found] == [
        ":1version", ":3routes[0].method", ":4routes[0].path", ":5routes[0].price", ":6routes[0].prize",
        ":7routes[0].upstream.timeoutSeconds", ":7routes[0].upstream.url", ":8routes[1]", ":9router",
    ]  # fmt: skip
    assert found[4].endswith("is not a known field (did you mean price?)")


def test_the_price_is_complained_about_once_however_many_networks_there_are(tmp_path: Path) -> None:
    """One mistake, one line."""
    assert "has more than" in problem_of(tmp_path, GOOD.replace("$0.01", "$0.0000001"), LOCAL)
    wrong_network = problems(
        tmp_path,
        "version: 1\nroutes:\n" + _item(GOOD.replace("$0.01", "$0") + "networks: [nowhere]\n"),
    )
    assert len(wrong_network) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ":1: is empty"),
        ("version: 1\nroutes: [", ":2: is not YAML"),
        ("version: 1\nroutes: []\n---\nversion: 1", "is not YAML"),
        ("a: &x 1\nb: *x", ":1: anchors and aliases"),
        ("version: 1\nroutes: !!python/object:os.system {}", ":2: routes: must be a list of routes"),
        ("\x00", "is not YAML"),
        ("[" * 5000, "nested too deeply"),
        ("a: " + "{a: " * 5000, "nested too deeply"),
        ("just text", ":1: must be a set of fields (version, routes, limits), not text"),
        ("version: 1", ":1: routes: is missing"),
        ("version: 1\nroutes: {}", ":2: routes: must be a list of routes, not a set of fields"),
        ("version: 1.0\nroutes: []", ":1: version: must be 1"),
        ("version: 1\nversion: 1\nroutes: []", ":2: version: stands there twice; first on line 1"),
        ("? [a]\n: 1\nversion: 1\nroutes: []", ":1: ?: is not a known field"),
    ],
)
def test_what_is_no_routes_file_is_refused_with_a_line(tmp_path: Path, text: str, expected: str) -> None:
    """Broken YAML, hostile YAML, another document."""
    found = problems(tmp_path, text)
    assert expected in found[0]
    assert len(found) == 1


def test_a_file_that_is_missing_or_is_not_utf8_or_is_huge_is_a_problem_too(tmp_path: Path) -> None:
    """With the same form as any other."""
    file = tmp_path / "routes.yaml"
    for content, expected in (
        (None, "No such file"),
        (b"a: 1\n\xff", ":2: is not UTF-8"),
        (b"#" * 1_000_001, "over"),
    ):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(WrongFile, match=expected):
            read_routes_file(file, STACK)


def test_routes_that_could_not_be_told_apart_are_refused(tmp_path: Path) -> None:
    """By what they match, and by id."""
    first, second = GOOD + "id: one\n", GOOD.replace("city", "town") + "id: one\n"
    found = problems(tmp_path, "version: 1\nroutes:\n" + _item(first) + _item(second))
    assert [f.split(":")[2].strip() for f in found] == ["routes[1].path", "routes[1].id"]
    assert all("is the same as that of routes[0]" in f for f in found)
    other_method = GOOD.replace("GET", "POST")
    assert len(read(tmp_path, "version: 1\nroutes:\n" + _item(GOOD) + _item(other_method)).routes) == 2


def test_test_and_main_networks_are_never_mixed(tmp_path: Path) -> None:
    """A buyer could pay the dear route with worthless tokens."""
    mixed = replace(STACK, networks=(network_info("base"), network_info("base-sepolia")))
    assert "mixes test and main" in problem_of(tmp_path, GOOD + "networks: [base, base-sepolia]\n", mixed)
    assert "mixes test and main" in problem_of(tmp_path, GOOD, mixed)


UPFRONT = GOOD + "flow: upfront\nirreversible: true\n"


def test_a50_a_route_that_settles_first_says_so_in_its_offer(tmp_path: Path) -> None:
    """``extra.paymentFlow``, beside the token's domain; the others leave it out."""
    route = one(tmp_path, UPFRONT)
    assert route.flow is Flow.UPFRONT
    assert route.accepts[0].extra == {"name": "USDC", "version": "2", "paymentFlow": "upfront"}
    other = one(tmp_path, GOOD)
    assert other.flow is Flow.AUTHORIZATION
    assert other.accepts[0].extra == {"name": "USDC", "version": "2"}


def test_settled_first_the_upstream_shares_the_request_and_the_authorization_need_not_outlive_it(
    tmp_path: Path,
) -> None:
    """15 s at most; and 15 s are all that maxTimeoutSeconds has to leave."""
    route = one(tmp_path, UPFRONT + "maxTimeoutSeconds: 15\n")
    assert route.accepts[0].max_timeout_seconds == 15
    found = problem_of(tmp_path, UPFRONT + "maxTimeoutSeconds: 14\n")
    assert found.startswith(":10: routes[0].maxTimeoutSeconds: must be at least 15: 15 to settle")
    slow = UPFRONT.replace("/v1/{city}", "/v1/{city}\n  timeoutSeconds: 15.5")
    assert ":8: routes[0].upstream.timeoutSeconds: must be at most 15 with flow: upfront" in problem_of(tmp_path, slow)


def test_a_slow_network_is_refused_in_the_authorization_flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 5: blocks over 6 s."""
    slow = replace(network_info("base-sepolia"), block_seconds=12.0)
    monkeypatch.setattr(prices, "network_info", lambda wanted: slow)
    facts = replace(STACK, networks=(slow,))
    assert "a block every 12 s" in problem_of(tmp_path, GOOD + "networks: [base-sepolia]\n", facts)
    (default,) = problems(tmp_path, "version: 1\nroutes:\n" + _item(GOOD), facts)
    assert "a block every 12 s" in default


def test_a_cent_is_a_cent_in_a_token_of_18_decimals(tmp_path: Path) -> None:
    """The scale is the token's own, from the network table."""
    asset = replace(network_info("base-sepolia").asset("USDC"), decimals=18)
    facts = replace(STACK, networks=(replace(network_info("base-sepolia"), assets=(asset,)),))
    assert one(tmp_path, GOOD, facts).accepts[0].amount == 10**16


def test_a_route_is_priced_in_what_its_stack_collects(tmp_path: Path) -> None:
    """Settle knows one token a network: another would be served and never be paid."""
    celo = replace(STACK, networks=(network_info("celo"),))
    dollars = GOOD.replace('"$0.01"', '{amount: "10000", asset: USDT}')
    assert "USDT is not what this stack collects; its Asset is USDC" in problem_of(tmp_path, dollars, celo)
    tether = one(tmp_path, dollars, replace(celo, asset="USDT")).accepts[0]
    assert dict(tether.extra) == {"name": "Tether USD", "version": "1"}
    assert one(tmp_path, GOOD, replace(celo, asset=str(tether.asset))).accepts == (tether,)


def test_a_network_without_eip_3009_is_refused(tmp_path: Path) -> None:
    """MegaUSD can only be moved by Permit2."""
    facts = replace(STACK, networks=(network_info("megaeth"),), asset="MegaUSD")
    found = problems(tmp_path, "version: 1\nroutes:\n" + _item(GOOD), facts)
    assert any("megaeth (eip155:4326) has no asset with EIP-3009" in problem for problem in found)


def test_a10_an_offer_over_4_kb_is_refused(tmp_path: Path) -> None:
    """The header is built as the proxy builds it, with the longest path that a param allows."""
    text = "\U0001f327" * 500
    assert "makes an offer of" in problem_of(tmp_path, GOOD + f"description: {text}\n", LOCAL)
    assert one(tmp_path, GOOD + f"description: {text[:200]}\n", LOCAL).description == text[:200]


def test_only_a_stack_that_allows_it_takes_private_upstreams(tmp_path: Path) -> None:
    """The local stack's upstream is on this machine."""
    local = GOOD.replace("https://api.example.com", "http://127.0.0.1:8080")
    assert one(tmp_path, local, LOCAL).upstream.url == "http://127.0.0.1:8080/v1/{city}"
    found = problems(tmp_path, "version: 1\nroutes:\n" + _item(local))
    assert len(found) == 2
    assert all("public https upstreams only" in f for f in found)


def test_without_a_stack_what_only_a_stack_decides_is_a_note(tmp_path: Path) -> None:
    """A file for a local stack is not wrong; another mistake in it still is."""
    local = GOOD.replace("https://api.example.com", "http://127.0.0.1:8080") + "networks: [local]\n"
    checked = read(tmp_path, "version: 1\nroutes:\n" + _item(local), stand_in())
    assert len(checked.notes) == 2
    assert all("AllowPrivateUpstreams=true" in note.sentence for note in checked.notes)
    assert "more than the 6" in problem_of(tmp_path, local.replace("$0.01", "$0.0000001"), stand_in())


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("feeBps: 250", "say owner"),
        (f'owner: "{PAY_TO}"\nfeeBps: 10001', "from 0 to 10000"),
        (f'owner: "{PAY_TO}"\nfeeBps: 2.5', "whole hundredths"),
        (f'owner: "{PAY_TO}"\nfeeBps: -1', "whole hundredths"),
        (f'owner: "{PAY_TO}"\nflow: upfront\nfeeBps: 250', "paid back"),
    ],
)
def test_a_fee_that_nobody_could_owe_is_refused(tmp_path: Path, more: str, why: str) -> None:
    """Whole basis points, of an owner, and of what is never given back."""
    assert why in problem_of(tmp_path, GOOD + more + "\n")


def test_an_owner_is_an_address_in_any_case_and_none_is_the_operator(tmp_path: Path) -> None:
    """Compared as bytes: one wallet is one owner, however it is spelled (threat 7)."""
    assert one(tmp_path, GOOD).owner is None
    spelled = {one(tmp_path, GOOD + f'owner: "{text}"\n').owner for text in (PAY_TO, PAY_TO.lower())}
    assert spelled == {Address.parse(PAY_TO)}


@pytest.mark.parametrize(
    ("owner", "why"),
    [
        ('"0x' + "0" * 40 + '"', "zero address"),
        ('"0x209693bC6afc0C5328bA36FaF03C514EF312287C"', "wrong checksum"),
        ('"0x209693"', "40 hex digits"),
        ("5", "must be text"),
        ("{address: x}", "must be text"),
    ],
)
def test_an_owner_that_nobody_could_be_is_refused(tmp_path: Path, owner: str, why: str) -> None:
    """Before anything is written."""
    assert why in problem_of(tmp_path, GOOD + f"owner: {owner}\n")
