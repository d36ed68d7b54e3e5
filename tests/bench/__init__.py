"""What Tollgate costs, beside the official SDK and beside the limits: ``make bench``; see docs/benchmarks.md."""
