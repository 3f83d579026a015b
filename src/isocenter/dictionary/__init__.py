"""PS3.6: what things are called (tags, value representations, keywords, unique identifiers)."""
