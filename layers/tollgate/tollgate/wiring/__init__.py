"""The composition roots: the only places that know the concrete classes; one per function, each loads what it uses."""
