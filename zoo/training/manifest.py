"""manifest.json beside a checkpoint: what was done to it and what was measured, for people and tests."""

import argparse
from pathlib import Path

from dataset import read_json, write_json

NAME = "manifest.json"
PATHS = {"data", "test", "out", "model", "noise", "threads"}


def recipe(script: str, options: argparse.Namespace, without: frozenset[str] = frozenset()) -> str:
    """The command that was run, without the paths and the threads of the machine it ran on."""
    words = [script]
    for name, value in sorted(vars(options).items()):
        if name in PATHS | without or value is None or value is False:
            continue
        words.append(f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}"))
    return " ".join(words)


def write_manifest(folder: str | Path, **entries) -> None:
    """Adds entries to the manifest of this folder, which may not be there yet."""
    path = Path(folder) / NAME
    write_json(path, (read_json(path) if path.exists() else {}) | entries)


def read_manifest(folder: str | Path) -> dict:
    return read_json(Path(folder) / NAME)
