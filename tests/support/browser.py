"""A real browser: a page of our own in headless Chromium, and what its script found out.

Without Chromium a test is skipped, unless ``TOLLGATE_REQUIRE_BROWSER`` is set.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from local.http_base import Handler, Server

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
# The script is the body of an async function; what it returns, or throws, is posted back.
_PAGE = """<!doctype html><meta charset="utf-8"><title>shop</title><script>
(async () => {
  let found;
  try { found = {value: await (async () => { %s })()}; } catch (error) { found = {thrown: String(error)}; }
  await fetch("/done", {method: "POST", body: JSON.stringify(found)});
})();
</script>"""


class PageFailed(Exception):
    """The page's script threw, or never came to its end."""


class _Page(Server):
    def __init__(self) -> None:
        super().__init__(_Handler)
        self.html = b""
        self.sign: Callable[[str], str] = lambda offer: offer
        self.found: SimpleQueue[dict[str, Any]] = SimpleQueue()


class _Handler(Handler):
    server: _Page

    def do_GET(self) -> None:
        if self.path != "/":
            return self.answer(404, b"", [])
        return self.answer(200, self.server.html, [("Content-Type", "text/html; charset=utf-8")])

    def do_POST(self) -> None:
        body = (self.read_body(8_000_000) or b"").decode()
        if self.path == "/sign":
            return self.answer(200, self.server.sign(body).encode(), [("Content-Type", "text/plain")])
        self.server.found.put(json.loads(body))
        return self.answer(204, b"", [])


def chromium() -> str:
    """The browser's path; skips the test, or fails it where a browser is required."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        why = f"none of {', '.join(_NAMES)} is installed"
        if os.environ.get("TOLLGATE_REQUIRE_BROWSER"):
            pytest.fail(why)
        pytest.skip(why)
    return found


def run_page(script: str, *, sign: Callable[[str], str] = lambda offer: offer, seconds: float = 60) -> tuple[str, Any]:
    """The page's origin and what its script returned; ``POST /sign`` on that origin is ``sign``.

    Raises ``PageFailed``.
    """
    browser = chromium()
    page = _Page()
    page.html, page.sign = (_PAGE % script).encode(), sign
    page.start()
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            command = [browser, *_FLAGS, f"--user-data-dir={profile}", page.url + "/"]
            process = subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "HOME": profile, "TMPDIR": profile},
            )
            try:
                found = page.found.get(timeout=seconds)
            except Empty:
                raise PageFailed(f"no word from the page within {seconds} s") from None
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(10)
    finally:
        page.stop()
    if "thrown" in found:
        raise PageFailed(found["thrown"])
    return page.url, found["value"]
