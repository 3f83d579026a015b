"""Descriptions of nodes that others wrote: PS3.15 Annex H as LDIF or JSON, and plain text."""
