"""The operator's command line: price routes, look at relayers and payments of a deployed stack."""
