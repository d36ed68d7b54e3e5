"""What attackers send, and what must not travel: one line each that lets them."""

from tests.faults.sabotage import Sabotage

_WIRE = "tests/attacks/test_wire.py::"
_UPSTREAM = "tests/attacks/test_upstream.py::"
_BINDING = "tests/attacks/test_binding.py::"
_PLATFORM = "tests/attacks/test_platform.py::"
_SELLERS = "tests/conformance/test_sellers.py::test_tollgate_passes"

SABOTAGES = (
    Sabotage(
        "a JSON key may stand twice",
        "wire/strict_json.py",
        "if len(out) != len(pairs):",
        "if False:",
        _WIRE + "test_a03_a_key_given_twice_is_refused",
    ),
    Sabotage(
        "base64 has several spellings",
        "wire/headers.py",
        "if base64.b64encode(data).decode() == value:",
        "if data:",
        _WIRE + "test_a02_another_spelling_of_base64_never_makes_a_second_payment",
    ),
    Sabotage(
        "a payment header may have any size",
        "wire/headers.py",
        "if len(value) > MAX_PAYMENT_HEADER:",
        "if False:",
        _WIRE + "test_a10_an_oversized_header_is_431_before_it_is_read",
    ),
    Sabotage(
        "nesting is measured by the parser",
        "wire/strict_json.py",
        "    _check_depth(text, max_depth)\n    try:",
        "    try:",
        _WIRE + "test_a04_nesting_and_numbers_cost_no_time",
    ),
    Sabotage(
        "a mapped or translated address is public",
        "gateway/public_address.py",
        "        and address in _UNICAST_V6\n",
        "",
        _UPSTREAM + "test_a87_an_address_that_is_not_public_is_refused",
    ),
    Sabotage(
        "an encoded slash is decoded into the path",
        "gateway/canonical_path.py",
        "if _ENCODED_SLASH.search(raw_path):",
        "if False:",
        "tests/unit/gateway/test_canonical_path.py",
    ),
    Sabotage(
        "what Connection names goes up",
        "gateway/forwarding.py",
        "if name not in named and _goes_up(name) and is_field(name, value)",
        "if _goes_up(name) and is_field(name, value)",
        _UPSTREAM + "test_a89_headers_of_the_connection_stay_behind",
    ),
    Sabotage(
        "a header with a line break goes up",
        "gateway/forwarding.py",
        "if name not in named and _goes_up(name) and is_field(name, value)",
        "if name not in named and _goes_up(name)",
        _UPSTREAM + "test_a89_a_line_break_in_a_header_never_leaves",
    ),
    Sabotage(
        "a v1 payment goes up",
        "gateway/forwarding.py",
        '"x-payment", "x-forwarded", "x-http-method"',
        '"x-forwarded", "x-http-method"',
        _UPSTREAM + "test_a90_payments_and_credentials_do_not_go_up",
    ),
    Sabotage(
        "the upstream's own receipt comes back",
        "gateway/forwarding.py",
        '_NOT_RETURNED_PREFIXES = ("payment-", "x-payment",',
        '_NOT_RETURNED_PREFIXES = ("x-payment",',
        _UPSTREAM + "test_a92_an_upstreams_own_payment_headers_do_not_come_back",
    ),
    Sabotage(
        "the upstream's sessions come back",
        "gateway/forwarding.py",
        '"set-cookie", "set-cookie2", "server",',
        '"set-cookie2", "server",',
        _UPSTREAM + "test_a90_the_upstreams_sessions_do_not_come_back",
    ),
    Sabotage(
        "an error names the RPC endpoint",
        "chain/rpc.py",
        'ChainUnavailable("the RPC endpoint cannot be reached")',
        'ChainUnavailable(f"the RPC endpoint {url} cannot be reached")',
        "tests/contract/chain/test_rpc.py::test_a86_an_endpoint_that_is_not_there_is_unknown_and_never_shows_the_url",
    ),
    Sabotage(
        "the claim forgets the query",
        "payment/fingerprint.py",
        'raw_query.encode("utf-8", "surrogateescape"),',
        'b"",',
        _BINDING + "test_a21_a_query_is_claimed_and_forwarded_byte_for_byte",
    ),
    Sabotage(
        "a sign-in opens every payment of its payer",
        "gateway/fresh_signature.py",
        " or sign_in.request_id != digest:",
        ":",
        _BINDING + "test_a28_a_sign_in_opens_one_payment_and_not_what_it_names",
    ),
    Sabotage(
        "a flow that was not offered is taken",
        "payment/terms.py",
        "and accepted.extra.get(PAYMENT_FLOW, Flow.AUTHORIZATION) == flow_of(requirements)",
        "and flow_of(requirements)",
        _SELLERS + "[R19]",
    ),
    Sabotage(
        "a paid answer may be kept by caches",
        "edge/answers.py",
        '_NO_STORE = ("cache-control", "private, no-store")',
        '_NO_STORE = ("cache-control", "public, max-age=60")',
        _SELLERS + "[R17]",
    ),
    Sabotage(
        "other terms are the same business",
        "facilitator/verdicts.py",
        "(r.seller, r.max_timeout_seconds, terms_of(r))",
        "(r.seller, terms_of(r))",
        "tests/conformance/test_facilitators.py::test_tollgate_passes[F10]",
    ),
    Sabotage(
        "a read that decides may be stale",
        "ledger/dynamo.py",
        'Key={"pk": {"S": pk}}, ConsistentRead=True)',
        'Key={"pk": {"S": pk}})',
        _PLATFORM + "test_a107_every_read_that_decides_is_consistent",
    ),
    Sabotage(
        "a conflict is no reason to try again",
        "ledger/dynamo.py",
        '_RETRIED_REASONS = frozenset({"TransactionConflict", ',
        "_RETRIED_REASONS = frozenset({",
        _PLATFORM + "test_a106_throttled_or_in_conflict_is_tried_again_and_counted_once",
    ),
)
