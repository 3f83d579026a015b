"""`make fuzz`: coverage-guided fuzzing of everything that reads what strangers send.

`targets` has one small harness a file; `corpus` makes their first inputs, `session` runs one of
them under atheris in a process of its own, `report` says what came of it. The harnesses run
without atheris as well, in `make test` (tests/fuzz), so that they cannot rot.
"""
