"""What the archive has written, read with nothing of Isocenter: packs are plain tar files."""

import tarfile
from pathlib import Path


def extract_packs(data: Path, folder: Path) -> list[Path]:
    """Unpacks every pack below a data folder, as `tar xf` would, and lists the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for pack in sorted(data.rglob("*.tar")):
        with tarfile.open(pack, "r:") as tar:
            tar.extractall(folder, filter="data")
    return sorted(path for path in folder.rglob("*.dcm") if path.is_file())
