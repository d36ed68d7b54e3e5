"""The local stack: template.yaml itself, on this machine, with an EVM chain beside it."""
