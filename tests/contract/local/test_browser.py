"""A real browser and our own reading of the Fetch standard come to the same conclusions."""

import json
from collections.abc import Iterator

import pytest

from local.api_template import Api, ApiRoute
from local.cors import Cors
from local.front import FrontDoor
from tests.contract.local.test_front import FakeLambda
from tests.support import browser_cors
from tests.support.browser import run_page

SIGNED = {"PAYMENT-SIGNATURE": "e30="}
CLIENT = {**SIGNED, "Access-Control-Expose-Headers": "PAYMENT-RESPONSE,X-PAYMENT-RESPONSE"}
LISTED = ("payment-signature", "access-control-expose-headers", "content-type")
CONFIGURED = {
    "as deployed": Cors(("*",), ("GET", "POST"), LISTED, ("payment-required",), 300),
    "nobody": Cors((), ("GET",), LISTED, (), None),
    "one header short": Cors(("*",), ("GET",), ("payment-signature",), ("payment-required",), None),
    "wildcards": Cors(("*",), ("*",), ("*",), ("*",), None),
    "http only": Cors(("http://*",), ("GET",), LISTED, ("payment-required",), None, credentials=True),
}
CASES: list[dict[str, object]] = [
    {},
    {"headers": SIGNED},
    {"headers": CLIENT},
    {"headers": {"Authorization": "Bearer x"}},
    {"method": "DELETE"},
    {"method": "POST", "body": "{}", "headers": {"Content-Type": "application/json"}},
    {"method": "POST", "body": "{}"},
    {"headers": SIGNED, "credentials": "include"},
]
# Chromium still lets a wildcard cover Authorization, and warns that it will not for long.
LENIENT = ("wildcards", CASES[3])
SCRIPT = """
const verdicts = [];
for (const url of %s) for (const init of %s) {
  try {
    const answer = await fetch(url, {cache: "no-store", ...init});
    verdicts.push([answer.status, answer.headers.get("payment-required"), answer.headers.get("x-secret")]);
  } catch (error) { verdicts.push(error.name); }
}
return verdicts;
"""


@pytest.fixture
def doors() -> Iterator[list[FrontDoor]]:
    """One front door for each configuration, all before the same function."""
    function = FakeLambda()
    function.result = {"statusCode": 402, "headers": {"payment-required": "e30=", "x-secret": "1"}, "body": "{}"}
    function.start()
    made = []
    for cors in CONFIGURED.values():
        door = FrontDoor()
        door.open(Api((ApiRoute("$default", "Proxy"),), cors), {"Proxy": "the-proxy"}, function.url)
        made.append(door)
    yield made
    for server in (*made, function):
        server.stop()


def by_the_standard(origin: str, url: str, case: dict[str, object]) -> object:
    """The verdict of tests/support/browser_cors.py, in the page's terms."""
    options = {key: value for key, value in case.items() if key in ("headers", "method")}
    body = case.get("body")
    try:
        seen = browser_cors.fetch(
            origin,
            url,
            body=body.encode() if isinstance(body, str) else None,
            credentials=case.get("credentials") == "include",
            **options,  # type: ignore[arg-type]
        )
    except browser_cors.NetworkError:
        return "TypeError"
    return [seen.status, seen.headers.get("payment-required"), seen.headers.get("x-secret")]


def test_a31_a_real_browser_agrees_with_our_reading_of_the_standard(doors: list[FrontDoor]) -> None:
    """Every configuration with every request: allowed or not, and what the page may read."""
    urls = [door.url + "/a" for door in doors]
    origin, verdicts = run_page(SCRIPT % (json.dumps(urls), json.dumps(CASES)))
    asked = [(name, url, case) for name, url in zip(CONFIGURED, urls, strict=True) for case in CASES]
    differing = [
        (name, case, verdict, expected)
        for (name, url, case), verdict in zip(asked, verdicts, strict=True)
        if verdict != (expected := by_the_standard(origin, url, case)) and (name, case) != LENIENT
    ]
    assert differing == []
    assert verdicts[2] == [402, "e30=", None]
    assert "TypeError" in verdicts
