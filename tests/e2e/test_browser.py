"""A person opens a priced URL."""

from local.stack import LocalStack
from tests.e2e.http import get


def test_a_browser_gets_a_page_and_a_program_json(stack: LocalStack) -> None:
    """Through the front door and the deployed proxy."""
    browser = {"accept": "text/html,*/*;q=0.8", "user_agent": "Mozilla/5.0 (X11; Linux x86_64)"}
    page = get(stack, "/weather/oslo", **browser)
    assert page.status == 402
    assert page.headers["content-type"].startswith("text/html")
    assert b"$0.01 USDC" in page.body
    program = get(stack, "/weather/oslo")
    assert page.offer == program.offer
    assert (program.json["x402Version"], program.json["accepts"][0]["network"]) == (1, "base-sepolia")
