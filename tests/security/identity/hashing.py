"""Passcodes hashed at a price that tests can pay."""

import pytest
from argon2 import PasswordHasher

from isocenter.security import passcodes


def cheaply(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on passcodes are hashed so."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passcodes, "_hasher", lambda: hasher)
    passcodes._nobodys.cache_clear()
