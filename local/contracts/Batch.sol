// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// Makes several calls of one contract in one transaction, so that several payments share one transaction hash.
contract Batch {
    function run(address target, bytes[] calldata calls) external {
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool succeeded, bytes memory answer) = target.call(calls[i]);
            if (!succeeded) {
                assembly {
                    revert(add(answer, 32), mload(answer))
                }
            }
        }
    }
}
