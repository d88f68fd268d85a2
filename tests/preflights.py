"""What the tests of all preflights need: lines found in what was said, a set to spoil."""

from pathlib import Path


def found(lines: list[str], kind: str, name: str) -> list[str]:
    """The lines of one kind ("ok", "warning", "FAULT") about one thing."""
    start = f"  {kind:<8} {name} "
    return [line for line in lines if line.startswith(start)]


def with_videos_of_its_own(data_set: Path, root: Path) -> Path:
    """The same data set at ``root``, with videos that can be removed."""
    (root / "videos").mkdir(parents=True)
    for path in data_set.iterdir():
        if path.name != "videos":
            (root / path.name).symlink_to(path)
    for path in (data_set / "videos").iterdir():
        (root / "videos" / path.name).symlink_to(path)
    return root


def everything_in(folder: Path) -> dict[str, bytes]:
    """What lies below a folder, by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
