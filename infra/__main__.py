"""Where Pulumi begins: `pulumi up` in this folder."""

import sys
from pathlib import Path

# Pulumi puts this folder first, in which the packages of the repository are not, and others have their names.
_HERE = Path(__file__).resolve().parent
sys.path[:] = [str(_HERE.parent), *(place for place in sys.path if Path(place or ".").resolve() != _HERE)]

from infra.program import main  # noqa: E402 - only now is the repository on the path

main()
