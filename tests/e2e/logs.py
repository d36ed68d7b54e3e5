"""What the functions wrote to their logs."""

from local.stack import LocalStack

FUNCTIONS = ("proxy", "settle", "reconcile")


def log_lines(stack: LocalStack, function: str, text: str = "") -> list[str]:
    """Log lines of a function (``proxy``, ``settle`` or ``reconcile``) that contain ``text``."""
    group = f"/aws/lambda/{stack.name}-{function}"
    pages = stack.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event["message"] for page in pages for event in page["events"] if text in event["message"]]
