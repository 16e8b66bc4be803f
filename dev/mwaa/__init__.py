"""What is uploaded to Amazon MWAA: the DAGs, plugins.zip with the package and its statements, requirements.txt and the startup script.

MWAA fixes PYTHONPATH, but Airflow itself looks for modules in its plugins folder: so the package goes there, and an `.airflowignore`
keeps Airflow from loading each of its modules as a plugin.
"""

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from dev.stack.component import ROOT

HERE = Path(__file__).parent
TARGET = ROOT / "dist" / "mwaa"
IGNORED = "embedding_lakehouse/\nsql/\n"
# MWAA adds constraints of its own to requirements without this word, and those hold other versions of what is pinned here.
NO_CONSTRAINTS = "# --constraint : none, every version is here\n"
# The oldest time that a ZIP archive knows: the same files make the same archive.
NO_TIME = (1980, 1, 1, 0, 0, 0)


def build(target: Path = TARGET) -> Path:
    """Write everything anew into `target`, as it lies in the bucket of an environment."""
    shutil.rmtree(target, ignore_errors=True)
    (target / "dags").mkdir(parents=True)
    for file in sorted((ROOT / "dags").glob("*.py")):
        shutil.copy(file, target / "dags")
    _write_archive(target / "plugins.zip")
    (target / "requirements.txt").write_text(NO_CONSTRAINTS + (HERE / "requirements.lock").read_text())
    shutil.copy(HERE / "startup.sh", target)
    return target


def _write_archive(file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source in sorted(_content()):
            _add(archive, name, source.read_bytes())
        _add(archive, ".airflowignore", IGNORED.encode())


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, NO_TIME)
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def _content() -> Iterator[tuple[str, Path]]:
    for folder, pattern in ((ROOT / "plugins", "*.py"), (ROOT / "include", "profiles.toml")):
        yield from ((file.name, file) for file in folder.glob(pattern))
    for folder in (ROOT / "include" / "embedding_lakehouse", ROOT / "sql"):
        files = (file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
        yield from ((str(file.relative_to(folder.parent)), file) for file in files)
