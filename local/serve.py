"""``make serve``: keep the local stack up until Ctrl-C, with one priced route to try."""

import sys
import threading

from local.build import ToolFailed
from local.buyer import demo_buyer
from local.paths import ROOT
from local.processes import StartFailed
from local.shutdown import end_on_signals
from local.stack import LocalStack


def announce(stack: LocalStack) -> None:
    """Say what runs where and what to try."""
    account = demo_buyer()
    url = f"{stack.api_url}/weather/oslo"
    print(
        f"""
  API             {stack.api_url}    (priced: GET /weather/{{city}}, and /factors/{{number}}, a Lambda function)
  facilitator     {stack.api_url}/x402/facilitator    (for sellers with a key; see `seller add` below)
  chain           {stack.chain.url}    ({stack.chain.info.network}, USDC at {stack.chain.token})
  AWS             {stack.aws.endpoint}    (stack {stack.name})
  upstream        {stack.upstream.url}
  relayer         {stack.relayer}
  seller          {stack.pay_to}
  test key        0x{account.key.hex().removeprefix("0x")}    ({account.address})

The test key holds 1000 USDC, on this machine only. Try, from {ROOT}:
  curl -i {url}
  PYTHONPATH=layers/tollgate:cli .venv/bin/python -m local.pay {url}

The command line and any AWS tool reach this stack with
  export AWS_ENDPOINT_URL={stack.aws.endpoint} AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  bin/tollgate doctor --stack {stack.name}
  bin/tollgate payments show 0xTRANSACTION --stack {stack.name}
  bin/tollgate seller add shop --pay-to 0x90F79bf6EB2c4f870365E785982E1f101E93b906 --allow 'base-sepolia:USDC:$0.10' \\
      --settlements-per-day 100 --stack {stack.name}

Ctrl-C ends everything.""",
        flush=True,
    )


def main() -> int:
    """Returns the exit code."""
    end_on_signals()
    try:
        with LocalStack(block_seconds=1) as stack:
            stack.apply_routes(stack.demo_routes())
            stack.chain.mint(demo_buyer().address, 1_000_000_000)
            announce(stack)
            threading.Event().wait()
    except (StartFailed, ToolFailed) as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
