"""Models of torchvision load beside any build of torch."""

import torch

try:
    import torchvision  # noqa: F401
except (ImportError, RuntimeError):
    # One that was built for another torch lacks its own operators, and stops at the first that it looks for. Models for
    # classification need none.
    _OPERATORS = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        _OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
