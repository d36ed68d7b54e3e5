"""The local token stands where USDC stands and signs as USDC signs."""

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from local.chain import Chain


def test_the_domain_is_that_of_usdc_on_base_sepolia(chain: Chain) -> None:
    """Computed for the address that the code was copied to, not for where it was compiled into being."""
    kind = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    fields = [kind, keccak(text="USDC"), keccak(text="2"), 84532, chain.token]
    expected = keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], fields))
    assert chain.read("DOMAIN_SEPARATOR()") == expected
    kinds = ["bytes1", "string", "string", "uint256", "address", "bytes32", "uint256[]"]
    _, name, version, chain_id, address, _, _ = decode(kinds, chain.read("eip712Domain()"))
    assert (name, version, chain_id, address) == ("USDC", "2", 84532, chain.token.lower())
    assert int.from_bytes(chain.read("decimals()")) == 6


def test_minting_and_draining_move_the_balance(chain: Chain) -> None:
    """What the tests do to payers."""
    account = chain.funded_account(5)
    assert chain.balance(account.address) == 5
    chain.send("drain(address)", account.address)
    assert chain.balance(account.address) == 0
