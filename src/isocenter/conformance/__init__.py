"""PS3.2, conformance: what a node claims, what it really does, and whether two of them fit."""
