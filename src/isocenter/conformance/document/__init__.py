"""A conformance statement for people: the chapters of PS3.2 Annex N, as HTML and as Markdown."""
