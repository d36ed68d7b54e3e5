"""API Gateway events in, answers out, and what is told to the log."""

import warnings

# A call that had nothing to count, such as one for an unknown path, is no defect to fill the log with.
warnings.filterwarnings("ignore", "No application metrics to publish", UserWarning)
