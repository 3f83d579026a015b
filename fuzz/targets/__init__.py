"""The harnesses. A file defines `TARGET`; its name is the target's.

An input is always bytes. Where a harness has choices to make, the first bytes make them, so that
mutation changes them like anything else.
"""
