"""The wheel's build hook: makes the engine image, so that installing durabox needs no compiler.

`sandbox/build.py` does the work and leaves the image and the licence texts inside the package, where
the wheel picks them up as artifacts. It is incremental: in a checkout that was built before, nothing
happens here.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from types import ModuleType


class EngineImageHook(BuildHookInterface):
    """Runs the image build before a wheel, editable or not, is put together."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """
        Build what is missing.

        Args:
            version: Kind of wheel, ``standard`` or ``editable``; both need the image.
            build_data: Hatchling's description of the wheel; the defaults (pure Python) are right for us.
        """
        build = _image_build(Path(self.root))
        build.build(progress=self.app.display_info)


def _image_build(root: Path) -> ModuleType:
    """Load sandbox/build.py by its path: the folder is no package of the distribution."""
    path = root / "sandbox" / "build.py"
    spec = importlib.util.spec_from_file_location("durabox_sandbox_build", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
