"""Models whose training steps run row block by row block, each with arguments to call it with."""

from __future__ import annotations

import helpers.row_classifiers
import helpers.row_regressions  # noqa: F401 (both complete ROW_MODELS and ROW_LOSSES)
from helpers.row_setting import CLASSES, ROW_LOSSES, ROW_MODELS, Setting

__all__ = ["CLASSES", "ROW_LOSSES", "ROW_MODELS", "Setting"]
