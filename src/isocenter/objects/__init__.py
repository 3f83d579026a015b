"""PS3.3: what an object must contain (IODs, modules, attributes and types), and the validator."""
