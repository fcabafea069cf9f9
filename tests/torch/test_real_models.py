"""Models of torchvision and timm: what is said of their layers, two of them checked by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import nn

import meanfield as mf
from meanfield.torch import audit
from meanfield.torch.initialise import Initialised, edge_of_chaos_


def model_of(name: str, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    library, _, model = name.rpartition("/")
    return timm.create_model(model, **options) if library else torchvision.models.get_model(model, **options)


def images(size: int, count: int = 4) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def kinds_of_notes(report: Initialised, name: str) -> set[str]:
    """What stands before a layer, and around it, by a word of each note."""
    words = ("zeros", "pooling", "dropout", "normalised", "sum of branches", "no biases")
    return {word for word in words for note in report[name].notes if word in note}


def test_alexnet_is_read_as_it_is_written() -> None:
    report = edge_of_chaos_(model_of("alexnet"))
    # Conv, ReLU, pool; conv, ReLU, pool; conv, ReLU twice; conv, ReLU, pool, average pool, dropout; linear, ReLU,
    # dropout; linear, ReLU; linear.
    expected = {
        "features.0": ("conv 11x11 /4", 3 * 121, "the input", {"zeros"}),
        "features.3": ("conv 5x5", 64 * 25, "relu", {"zeros", "pooling"}),
        "features.6": ("conv 3x3", 192 * 9, "relu", {"zeros", "pooling"}),
        "features.8": ("conv 3x3", 384 * 9, "relu", {"zeros"}),
        "features.10": ("conv 3x3", 256 * 9, "relu", {"zeros"}),
        "classifier.1": ("linear", 256 * 36, "relu", {"pooling", "dropout"}),
        "classifier.4": ("linear", 4096, "relu", {"dropout"}),
        "classifier.6": ("linear", 4096, "relu", set()),
    }
    assert {
        layer.module: (layer.kind, layer.fan_in, layer.activation, kinds_of_notes(report, layer.module))
        for layer in report.layers
    } == expected
    # He's weights are the edge of ReLU, and there are no biases on it.
    assert [layer.sigma_w for layer in report.layers] == [1.0, *[pytest.approx(math.sqrt(2))] * 6, None]
    assert {layer.sigma_b for layer in report.layers[:-1]} == {0.0}
    assert report["classifier.6"].left == "the last layer, kept"


def test_resnet_18_is_read_as_it_is_written() -> None:
    report = edge_of_chaos_(model_of("resnet18"))
    expected = {"conv1": ("conv 7x7 /2", 147, "the input", {"zeros"})}
    channels = 64
    for stage, width in enumerate((64, 128, 256, 512), 1):
        for block in (0, 1):
            stride = " /2" if stage > 1 and block == 0 else ""
            # What enters a stage is the stem after batch norm, ReLU and pooling, or a sum after ReLU.
            before = {"normalised", "pooling"} if stage == 1 and block == 0 else {"sum of branches"}
            name = f"layer{stage}.{block}"
            expected[f"{name}.conv1"] = (f"conv 3x3{stride}", 9 * channels, "relu", {"zeros", *before})
            expected[f"{name}.conv2"] = ("conv 3x3", 9 * width, "relu", {"zeros", "normalised"})
            if stride:
                expected[f"{name}.downsample.0"] = ("conv 1x1 /2", channels, "relu", before)
            channels = width
    expected["fc"] = ("linear", 512, "relu", set())
    told = {
        layer.module: (layer.kind, layer.fan_in, layer.activation, kinds_of_notes(report, layer.module))
        for layer in report.layers
    }
    assert told == expected
    assert report["fc"].left == "the last layer, kept"


def test_mobilenet_2_has_linear_bottlenecks() -> None:
    report = edge_of_chaos_(model_of("mobilenet_v2"))
    relu6 = mf.edge_of_chaos(mf.activation("relu6"))
    for block in range(2, 18):
        expand, depthwise, project = (report[f"features.{block}.conv.{part}"] for part in ("0.0", "1.0", "2"))
        # After a batch norm, or after the sum of it and what entered the block before.
        summed = block - 1 in (3, 5, 6, 8, 9, 10, 12, 13, 15, 16)
        assert expand.activation == ("a sum of branches" if summed else "normalised (BatchNorm2d)")
        assert depthwise.kind.startswith("depthwise 3x3") and depthwise.fan_in == 9
        assert depthwise.activation == project.activation == "relu6"
        assert depthwise.sigma_w == project.sigma_w == relu6.sigma_w
        assert {"no biases"} <= kinds_of_notes(report, project.module)


def test_the_blocks_of_a_vision_transformer() -> None:
    report = edge_of_chaos_(model_of("vit_b_16", image_size=32))
    gelu = mf.edge_of_chaos(mf.activation("gelu"))
    for block in range(12):
        name = f"encoder.layers.encoder_layer_{block}"
        assert report[f"{name}.mlp.0"].activation == "normalised (LayerNorm)"
        assert (report[f"{name}.mlp.3"].activation, report[f"{name}.mlp.3"].sigma_w) == ("gelu", gelu.sigma_w)
        assert report[f"{name}.self_attention.out_proj"].left.startswith("part of attention")


@pytest.mark.parametrize("name", ["convnext_tiny", "timm/convnext_atto", "timm/convnextv2_atto"])
def test_the_blocks_of_a_convnext(name: str) -> None:
    # A norm of channels, GELU and, in the second version, a norm of the response; branches drop.
    model = model_of(name, **({"drop_path_rate": 0.2} if "timm" in name else {}))
    report = edge_of_chaos_(model, inputs=images(64))
    gelu = mf.edge_of_chaos(mf.activation("gelu"))
    inner = [layer for layer in report.layers if layer.activation == "gelu"]
    assert len(inner) == (18 if name == "convnext_tiny" else 12)
    for layer in inner:
        assert (layer.sigma_w, layer.left) == (gelu.sigma_w, "")
        assert any("a factor of its own" in note for note in layer.notes) == ("v2" in name)
    # Its variance is that of a norm; a factor after GELU theory does not know.
    found = [audit(model.train(training), images(64))[inner[3].module] for training in (True, False)]
    assert all((row.from_inputs, row.rho_theory is None) == ("v2" in name, "v2" in name) for row in found)


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [
        ("alexnet", 64, {}),
        ("vgg16", 32, {}),
        ("vgg11_bn", 32, {}),
        ("resnet18", 64, {}),
        ("mobilenet_v2", 64, {}),
        ("densenet121", 64, {}),
        ("convnext_tiny", 64, {}),
        ("squeezenet1_1", 64, {}),
        ("vit_b_16", 32, {"image_size": 32}),
        ("swin_t", 64, {}),
        ("timm/mixer_s16_224", 64, {"img_size": 64}),
        ("timm/resmlp_12_224", 64, {"img_size": 64}),
        ("timm/regnetx_002", 64, {}),
        ("timm/vit_tiny_patch16_224", 64, {"img_size": 64}),
        ("timm/nf_resnet26", 64, {}),
        ("timm/convnextv2_atto", 64, {"drop_path_rate": 0.2}),
    ],
)
def test_models_are_initialised_and_audited(name: str, size: int, options: dict[str, Any]) -> None:
    model, batch = model_of(name, **options), images(size)
    with_batch = edge_of_chaos_(model, inputs=batch, generator=torch.Generator().manual_seed(2))
    without = edge_of_chaos_(model, generator=torch.Generator().manual_seed(2))
    # Running a model on a batch shows the same as torch.fx.
    assert [(x.module, x.activation, x.left) for x in with_batch.layers] == [
        (x.module, x.activation, x.left) for x in without.layers
    ]
    drawn = [layer for layer in without.layers if not layer.left]
    assert drawn and all(layer.sigma_w and layer.sigma_w > 0 for layer in drawn)
    assert all(max(map(len, str(shown).splitlines())) <= 80 for shown in (with_batch, without))
    # Weights just drawn are random: no layer departs from what theory says of them.
    found = audit(model, batch)
    assert len(found.layers) >= len(drawn)
    assert found.departs is None, found.verdict
    assert max(map(len, str(found).splitlines())) <= 80
