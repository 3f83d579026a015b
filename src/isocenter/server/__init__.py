"""The running node: configuration, processes, logging."""
