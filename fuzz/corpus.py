"""The first inputs of a harness, and the words of its mutations, as files that libFuzzer reads.

They are made anew for each run from the harness's own code, beside what earlier runs have found to
be of interest; none of them is in the repository.
"""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

from fuzz.target import Target

LARGEST_SEED = 16 * 1024
"""Bytes; what is larger slows mutation down and shows nothing new."""


def write_corpus(target: Target, folder: Path) -> None:
    """Write the seeds into `folder`, each under the name that libFuzzer would give it."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        if len(seed) <= min(target.longest, LARGEST_SEED):
            (folder / sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)


def write_words(target: Target, path: Path) -> None:
    """Write the words of mutation as a libFuzzer dictionary."""
    words = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words)
    path.write_text("".join(f'"{word}"\n' for word in words))
