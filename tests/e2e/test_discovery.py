"""Discovery on the deployed stack: through the front door, from the routes that the command line applied."""

import json

from local.stack import LocalStack
from tests.e2e.conftest import routes
from tests.e2e.http import get


def test_an_agent_that_knows_only_the_domain_finds_everything_and_what_it_finds_is_for_sale(stack: LocalStack) -> None:
    """From /.well-known/x402 on: each document answers a browser too, and each listed URL with its offer."""
    start = get(stack, "/.well-known/x402", Origin="https://agent.example")
    assert start.status == 200
    assert start.headers["access-control-allow-origin"] == "*"
    assert start.headers["cache-control"] == "public, max-age=60"
    found = {f"{item['method']} {item['url'].removeprefix(stack.api_url)}" for item in start.json["items"]}
    assert found == {f"{route['method']} {route['path']}" for route in json.loads(routes(stack))["routes"]}
    for link in ("config", "openapi", "discovery"):
        assert get(stack, start.json[link].removeprefix(stack.api_url)).status == 200
    text = get(stack, "/llms.txt")
    assert text.headers["content-type"].startswith("text/plain")
    assert (
        f"`GET {stack.api_url}/weather/{{city}}`: $0.01 USDC on base-sepolia. Weather of a city" in text.body.decode()
    )
    for item in start.json["items"]:
        # A template stands for itself, as crawlers try it.
        path = item["url"].removeprefix(stack.api_url)
        assert get(stack, path, method=item["method"]).status == 402, path
    everything = json.dumps([get(stack, path).body.decode() for path in ("/openapi.json", "/discovery/resources")])
    assert stack.upstream.url not in everything
