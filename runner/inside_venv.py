"""What runs in a job's venv, by path: `venv/bin/python -I runner/inside_venv.py JOB_JSON`.

The venv is full of strangers' packages, some of which may be called `assets`, `tests` or `runner` as ours are. So the
folder that holds ours never gets onto the path: `hawk` is made importable by itself, and the modules beside this one
as `hawk_runner`.
"""

import gc
import importlib
import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Beside this folder in a checkout; around it (hawk/programs/runner) where Hawk was installed from a wheel.
HAWK = next(folder for folder in (HERE.parent / "hawk", HERE.parents[1]) if (folder / "job_spec.py").is_file())


def make_importable(name: str, folder: Path) -> None:
    """Register the package of a folder under a name, without a path entry by which others would be found too."""
    specification = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if specification is None or specification.loader is None:
        raise ImportError(f"{folder} is not a package.")
    package = importlib.util.module_from_spec(specification)
    sys.modules[name] = package
    specification.loader.exec_module(package)


if __name__ == "__main__":
    # Imports make objects that stay; looking for garbage among them takes a tenth of the time. Back on in `main`.
    gc.disable()
    make_importable("hawk", HAWK)
    make_importable("hawk_runner", HERE / "inside")
    main = importlib.import_module("hawk_runner.main").main
    sys.exit(main())
