"""The demo's story, step by step, on the deployed stack."""

from local.demo import Demo
from local.stack import LocalStack


def test_the_demo_tells_the_truth(stack: LocalStack) -> None:
    """Every step of `make demo` after pricing happens on a stack that also serves other routes."""
    demo = Demo(stack)
    demo.ask()
    demo.sign()
    demo.pay()
    demo.read_receipt()
    demo.send_again()
    demo.copy_from_chain()
    demo.forge()
