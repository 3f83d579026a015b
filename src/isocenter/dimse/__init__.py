"""PS3.7: command sets, DIMSE messages and status codes; bytes in, messages out, no I/O."""
