"""An address in a file: its digits, and its checksum where it is written with one."""

from tollgate.gateway.declaring.problems import Findings
from tollgate.gateway.declaring.tree import Node, text_of
from tollgate.wire.primitives import Address


def read_address(node: Node, findings: Findings, zero: str) -> Address | None:
    """The address; ``zero`` says what is wrong with the zero address there. What is wrong goes to ``findings``."""
    text = text_of(node, findings)
    if text is None:
        return None
    try:
        address = Address.parse(text)
    except ValueError as error:
        findings.add(node.line, node.at, str(error))
        return None
    digits = text[2:]
    if address.raw == bytes(20):
        findings.add(node.line, node.at, f"is the zero address: {zero}")
    elif digits not in (digits.lower(), digits.upper()) and text != str(address):
        findings.add(node.line, node.at, f"has a wrong checksum: a digit is mistyped, or it is {address}")
    return address
