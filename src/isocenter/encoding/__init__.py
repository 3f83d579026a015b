"""PS3.5 and PS3.10: bytes to data elements and back, always within limits."""
