"""Defines the schemas of torchvision's compiled operators just before torchvision is first imported."""

import sys
from typing import Any

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class _BeforeTorchvision:
    library: Any = None

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "torchvision" and self.library is None:
            import torch

            self.library = torch.library.Library("torchvision", "FRAGMENT")
            if torch.version.cuda is None and not hasattr(torch.ops.torchvision, "nms"):
                for schema in _OPERATORS:
                    self.library.define(schema)


sys.meta_path.insert(0, _BeforeTorchvision())  # type: ignore[arg-type]
