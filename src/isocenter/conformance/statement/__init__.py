"""This node's own statement, from its configuration and from what its code knows of itself."""
