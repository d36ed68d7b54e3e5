"""The real token contract in an in-process EVM (pyrevm): one state, moved by transactions, with checkpoints."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from eth_abi.abi import encode as abi_encode

from local.solidity import compiled
from tollgate.wire.keccak import keccak256

# Python below 3.13 on x86-64 only: its wheels say so.
pyrevm: Any = pytest.importorskip("pyrevm", reason="pyrevm has wheels for Python < 3.13 on x86-64 only")

_SPEC = "CANCUN"
_DEPLOYER = "0x" + "d0" * 20
_NOBODY = "0x" + "00" * 20
_REVERT = re.compile(r"output: (0x[0-9a-f]*)")
_GAS = re.compile(r"gas_used: (\d+)")
_MOST_ANSWERED = 50_000


@dataclass(frozen=True, slots=True)
class Ran:
    """How a call ended. ``output`` is what it returned, or the data of its revert; ``gas`` includes the 21,000."""

    ok: bool
    output: bytes
    gas: int
    logs: tuple[tuple[str, tuple[str, ...], str], ...] = ()


_ANSWERED: dict[tuple[object, ...], Ran] = {}


@cache
def runtime_code() -> bytes:
    """The token's code as it stands after deployment."""
    evm = pyrevm.EVM(spec_id=_SPEC)
    address = evm.deploy(_DEPLOYER, bytes.fromhex(compiled()["Token"]["bytecode"].removeprefix("0x")))
    code: bytes = evm.get_code(address)
    return code


@cache
def selector(signature: str) -> bytes:
    """The first four bytes of a call."""
    return keccak256(signature.encode())[:4]


def calldata(signature: str, *values: Any) -> bytes:
    """``calldata("mint(address,uint256)", to, 5)``."""
    kinds = signature[signature.index("(") + 1 : -1]
    return selector(signature) + abi_encode(kinds.split(",") if kinds else [], values)


class TokenEvm:
    """An EVM that holds the token at ``address``; gas is free here, the node books it.

    A state is named by what led to it. Most calls of a run ask what a run before it asked of the same state in the
    same block: what came back then is the answer.
    """

    def __init__(self, address: str, chain_id: int) -> None:
        self._evm = pyrevm.EVM(pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=chain_id)), spec_id=_SPEC)
        self._evm.insert_account_info(address, pyrevm.AccountInfo(code=runtime_code()))
        self._state = hash((address, chain_id))
        self._block = (0, 0)

    def at(self, number: int, timestamp: int) -> None:
        """The block that calls now see."""
        self._block = (number, timestamp)

    def execute(self, caller: str, to: str, data: bytes, gas: int = 30_000_000) -> Ran:
        """A call that changes the state, unless it fails."""
        number, timestamp = self._block
        self._evm.set_block_env(pyrevm.BlockEnv(number=number, timestamp=timestamp))
        try:
            output = self._evm.message_call(caller, to, calldata=data, gas=gas)
        except RuntimeError as error:
            return _failed(str(error), gas)
        self._state = hash((self._state, self._block, caller, to, data, gas))
        result = self._evm.result
        logs = tuple(
            (log.address.lower(), tuple(topic.lower() for topic in log.topics), "0x" + log.data[1].hex())
            for log in result.logs
        )
        return Ran(True, output, result.gas_used, logs)

    def call(self, to: str, data: bytes, caller: str = _NOBODY) -> Ran:
        """A call that leaves no trace."""
        key = (self._state, self._block, caller, to, data)
        if (known := _ANSWERED.get(key)) is not None:
            return known
        checkpoint = self.checkpoint()
        try:
            ran = self.execute(caller, to, data)
        finally:
            self.revert(checkpoint)
        if len(_ANSWERED) >= _MOST_ANSWERED:
            _ANSWERED.clear()
        _ANSWERED[key] = ran
        return ran

    def checkpoint(self) -> Any:
        """The state as it is now."""
        return self._evm.snapshot(), self._state

    def revert(self, checkpoint: Any) -> None:
        """Go back to a checkpoint; later ones are void."""
        snapshot, self._state = checkpoint
        self._evm.revert(snapshot)


def _failed(text: str, gas: int) -> Ran:
    output = _REVERT.search(text)
    used = _GAS.search(text)
    # A halt burns all of it.
    burnt = min(gas, int(used.group(1))) if used else gas
    return Ran(False, bytes.fromhex(output.group(1)[2:]) if output else b"", burnt)
