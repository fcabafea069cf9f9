"""Work spread over many processes, here or on a cluster."""
