"""Upstreams that are Lambda functions: what counts as an answer, how often they are asked, and which never are."""

from tests.faults.sabotage import Sabotage

_ATTACKS = "tests/attacks/test_function_upstream.py::"
_NOT_CHARGED = _ATTACKS + "test_a94_a95_a_function_that_fails_is_not_charged_and_not_tried_again"
_EVENT = "tests/unit/gateway/test_function_event.py::"
_ANSWER = "tests/unit/gateway/test_function_answer.py::"

SABOTAGES = (
    Sabotage(
        "a function that fails with status 200 has answered",
        "gateway/function_upstream.py",
        'if response.get("FunctionError") or response["StatusCode"] != 200:',
        'if response["StatusCode"] != 200:',
        _NOT_CHARGED,
    ),
    Sabotage(
        "boto3 asks a function again",
        "wiring/upstreams.py",
        '"total_max_attempts": 1}',
        '"total_max_attempts": 2}',
        _NOT_CHARGED,
    ),
    Sabotage(
        "an outage of Lambda is asked a second time",
        "gateway/function_upstream.py",
        "        except (BotoCoreError, HTTPError, OSError) as error:\n",
        "        except (BotoCoreError, HTTPError, OSError) as error:\n"
        "            client.invoke(FunctionName=function, Payload=payload)\n",
        _NOT_CHARGED,
    ),
    Sabotage(
        "what API Gateway would not pass on is sold",
        "gateway/function_answer.py",
        'if isinstance(returned, dict) and "statusCode" in returned:',
        'if isinstance(returned, dict) and isinstance(returned.get("body", ""), str) and "statusCode" in returned:',
        _NOT_CHARGED,
    ),
    Sabotage(
        "half of what a function returned is all of it",
        "gateway/function_upstream.py",
        "while chunk := payload.read(_CHUNK):",
        "if chunk := payload._raw_stream.read(_CHUNK):",
        _NOT_CHARGED,
    ),
    Sabotage(
        "a function's answer has no cap",
        "gateway/function_upstream.py",
        "if size > MAX_HEADER_BYTES or len(answer.body) > MAX_ANSWER_BYTES:",
        "if False:",
        _NOT_CHARGED,
    ),
    Sabotage(
        "a connection that breaks under TLS is a bug",
        "gateway/function_upstream.py",
        "except (BotoCoreError, HTTPError, OSError) as error:",
        "except BotoCoreError as error:",
        "tests/unit/gateway/test_function_upstream.py::test_whatever_breaks_on_the_way_is_no_answer",
    ),
    Sabotage(
        "a routes table may hold any function",
        "payment/route_json.py",
        'function = FunctionName.parse(_text(upstream["function"], "function"))',
        'function = _text(upstream["function"], "function")',
        "tests/contract/ledger/test_routes_table.py::test_a_target_that_something_else_wrote_is_not_served_from",
    ),
    Sabotage(
        "a late function is waited for",
        "wiring/upstreams.py",
        "read_timeout=read_timeout,",
        "read_timeout=read_timeout + 5,",
        _ATTACKS + "test_a93_a95_a_function_that_is_late_is_cut_off_and_not_asked_again",
    ),
    Sabotage(
        "a function gets its route's timeout, whatever is left",
        "gateway/function_upstream.py",
        "timeout if timeout >= usual else _whole(timeout)",
        "usual",
        _ATTACKS + "test_a_function_gets_no_more_time_than_its_request_has",
    ),
    Sabotage(
        "a route may name settle",
        "gateway/function_upstream.py",
        "if FunctionName.parse(function).name in self._own:",
        "if False:",
        _ATTACKS + "test_the_money_paths_own_function_is_never_sold",
    ),
    Sabotage(
        "a function's headers leave as they are",
        "gateway/function_answer.py",
        "    pairs = [(name.lower(), _value(value)) for name, value in headers.items()]",
        '    pairs = [("x-" + name.lower(), _value(value)) for name, value in headers.items()]',
        _ATTACKS + "test_a84_a92_what_a_function_answers_passes_the_same_filter_as_an_http_upstreams",
    ),
    Sabotage(
        "a header with a line break is a function's to set",
        "gateway/function_answer.py",
        "if not all(is_field(*pair) for pair in headers):",
        "if False:",
        _ANSWER + "test_what_api_gateway_would_not_pass_on_is_no_answer",
    ),
    Sabotage(
        "a text of controls is sent as text",
        "gateway/function_event.py",
        "if len(payload) < MAX_PAYLOAD_BYTES:",
        "if True:",
        _EVENT + "test_the_largest_body_fits_whatever_is_in_it",
    ),
    Sabotage(
        "the buyer's own header says which host was asked",
        "gateway/function_event.py",
        '{**request.headers, "host": domain}',
        '{"host": domain, **request.headers}',
        _EVENT + "test_a_buyer_cannot_say_who_paid",
    ),
    Sabotage(
        "the front's secret goes up to the upstream",
        "gateway/forwarding.py",
        '"x-sendfile", "x-tollgate-",',
        '"x-sendfile",',
        "tests/template/test_front.py::test_the_secret_does_not_go_up_to_an_upstream",
    ),
)
