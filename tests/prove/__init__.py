"""What shows the guarantees, run together; docs/guarantees.md is its page."""
