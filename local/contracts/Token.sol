// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// Stands in for USDC on a local chain: the same EIP-712 domain, decimals, calls and events. Anyone may mint.
///
/// Its runtime code is copied to USDC's address, where constructors do not run. So name and symbol are code instead of
/// storage; OpenZeppelin's EIP712 keeps its domain in immutables and computes the separator anew at another address.
contract Token is ERC3009 {
    error Paused();

    bool public paused;

    constructor() ERC20("USDC", "USDC") EIP712("USDC", "2") {}

    function name() public pure override returns (string memory) {
        return "USDC";
    }

    function symbol() public pure override returns (string memory) {
        return "USDC";
    }

    function version() external pure returns (string memory) {
        return "2";
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// USDC v2.2 has this overload besides the one with v, r and s.
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        bytes32 hash = _hashTypedDataV4(
            keccak256(abi.encode(TRANSFER_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce))
        );
        require(from == ECDSA.recover(hash, signature), ERC3009InvalidSignature());
        _transferWithAuthorization(from, to, value, validAfter, validBefore, nonce);
    }

    function mint(address to, uint256 value) external {
        _mint(to, value);
    }

    /// Takes everything from an account, as a payer who spends elsewhere would.
    function drain(address from) external {
        _burn(from, balanceOf(from));
    }

    /// While paused every transfer reverts, as USDC's do.
    function pause(bool on) external {
        paused = on;
    }

    function _update(address from, address to, uint256 value) internal override {
        require(!paused || from == address(0), Paused());
        super._update(from, to, value);
    }
}
