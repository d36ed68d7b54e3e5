"""Processes that die in the middle of paid calls; what everybody holds afterwards is compared to the unit."""
