"""What a foreign node really does, measured by polite questions: no object, no load, no tricks."""
