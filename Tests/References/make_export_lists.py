"""Writes Exports/: names, types and shapes of the networks that other libraries build, for formats that cannot be opened here.

Shapes are those of torchvision's models; names are made from torchvision's, by the correspondence of mmdetection
(mmdet/models/dense_heads/fcos_head.py, mmdet/models/necks/fpn.py), mmsegmentation (mmseg/models/decode_heads/fcn_head.py),
detectron2 (tools/convert-torchvision-to-d2.py) and AdelaiDet (adet/modeling/fcos/fcos.py, adet/modeling/backbone/fpn.py).
"""

import pathlib
import re

import torch
import torchvision
from torchvision.models.detection import fcos_resnet50_fpn

FOLDER = pathlib.Path(__file__).parent / "Exports"

MM = [
    (r"backbone\.body\.", "backbone."),
    (r"backbone\.fpn\.inner_blocks\.(\d)\.0\.", r"neck.lateral_convs.\1.conv."),
    (r"backbone\.fpn\.inner_blocks\.(\d)\.1\.", r"neck.lateral_convs.\1.bn."),
    (r"backbone\.fpn\.layer_blocks\.(\d)\.0\.", r"neck.fpn_convs.\1.conv."),
    (r"backbone\.fpn\.layer_blocks\.(\d)\.1\.", r"neck.fpn_convs.\1.bn."),
    (r"backbone\.fpn\.extra_blocks\.p6\.", "neck.fpn_convs.3.conv."),
    (r"backbone\.fpn\.extra_blocks\.p7\.", "neck.fpn_convs.4.conv."),
    (r"head\.classification_head\.cls_logits\.", "bbox_head.conv_cls."),
    (r"head\.regression_head\.bbox_reg\.", "bbox_head.conv_reg."),
    (r"head\.regression_head\.bbox_ctrness\.", "bbox_head.conv_centerness."),
]
D2_TRUNK = [
    (r"^conv1\.", "stem.conv1."),
    (r"^bn1\.", "stem.conv1.norm."),
    (r"^layer1\.", "res2."), (r"^layer2\.", "res3."), (r"^layer3\.", "res4."), (r"^layer4\.", "res5."),
    (r"\.bn(\d)\.", r".conv\1.norm."),
    (r"\.downsample\.0\.", ".shortcut."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
]
D2 = [
    (r"backbone\.fpn\.extra_blocks\.", "backbone.top_block."),
    (r"head\.classification_head\.conv\.", "proposal_generator.fcos_head.cls_tower."),
    (r"head\.regression_head\.conv\.", "proposal_generator.fcos_head.bbox_tower."),
    (r"head\.classification_head\.cls_logits\.", "proposal_generator.fcos_head.cls_logits."),
    (r"head\.regression_head\.bbox_reg\.", "proposal_generator.fcos_head.bbox_pred."),
    (r"head\.regression_head\.bbox_ctrness\.", "proposal_generator.fcos_head.ctrness."),
]


def apply(rules, name):
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def mmdetection(name):
    tower = re.fullmatch(r"head\.(classification|regression)_head\.conv\.(\d+)\.(\w+)", name)
    if tower:
        layer, kind = divmod(int(tower[2]), 3)
        branch = "cls_convs" if tower[1] == "classification" else "reg_convs"
        return f"bbox_head.{branch}.{layer}.{'conv' if kind == 0 else 'gn'}.{tower[3]}"
    return apply(MM, name)


def adelaidet(name):
    if name.startswith("backbone.body."):
        return "backbone.bottom_up." + apply(D2_TRUNK, name.removeprefix("backbone.body."))
    fpn = re.fullmatch(r"backbone\.fpn\.(inner|layer)_blocks\.(\d)\.(\d)\.(\w+)", name)
    if fpn:
        part = "lateral" if fpn[1] == "inner" else "output"
        return f"backbone.fpn_{part}{int(fpn[2]) + 3}.{'norm.' if fpn[3] == '1' else ''}{fpn[4]}"
    return apply(D2, name)


def write(name, tensors):
    lines = [
        f"{key} {str(value.dtype).removeprefix('torch.')} {'x'.join(map(str, value.shape)) or 'scalar'}\n"
        for key, value in sorted(tensors.items())
    ]
    (FOLDER / f"{name}.txt").write_text("".join(lines))


def pyramid():
    """What is pretrained for a detector: normalised pyramid on C3 to C5, towers of two convolutions."""
    from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor

    body = torchvision.models.resnet50()
    network = _resnet_fpn_extractor(body, 5, returned_layers=[2, 3, 4], norm_layer=torch.nn.BatchNorm2d)
    tensors = {f"backbone.{key}": value for key, value in network.state_dict().items()}
    whole = fcos_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
    for key, value in whole.items():
        tower = re.fullmatch(r"head\.\w+_head\.conv\.(\d+)\.\w+", key)
        if tower and int(tower[1]) < 6:
            tensors[key] = value
    return tensors


trunk = {key: value for key, value in torchvision.models.resnet50().state_dict().items() if not key.startswith("fc.")}
detector = fcos_resnet50_fpn(weights=None, weights_backbone=None, num_classes=80).state_dict()
FOLDER.mkdir(exist_ok=True)
write("torchvision-backbone", trunk)
write("torchvision-detector", detector)
write("torchvision-pyramid", pyramid())
write("openmmlab-backbone", trunk)
write("detectron2-backbone", {apply(D2_TRUNK, key): value for key, value in trunk.items()})
write("openmmlab-pyramid", {mmdetection(key): value for key, value in pyramid().items()})
write("detectron2-pyramid", {adelaidet(key): value for key, value in pyramid().items()})
write(
    "openmmlab-detector",
    {mmdetection(key): value for key, value in detector.items()}
    | {f"bbox_head.scales.{level}.scale": torch.tensor(1.0) for level in range(5)},
)
write(
    "detectron2-detector",
    {adelaidet(key): value for key, value in detector.items()}
    | {f"proposal_generator.fcos_head.scales.{level}.scale": torch.ones(1) for level in range(5)},
)
head = torch.nn.ModuleDict(
    {
        "convs": torch.nn.ModuleList(
            torch.nn.ModuleDict(
                {"conv": torch.nn.Conv2d(inputs, 256, 3, bias=False), "bn": torch.nn.BatchNorm2d(256)}
            )
            for inputs in (2048, 256)
        ),
        "conv_seg": torch.nn.Conv2d(256, 21, 1),
    }
)
write(
    "openmmlab-segmenter",
    {f"backbone.{key}": value for key, value in trunk.items()}
    | {f"decode_head.{key}": value for key, value in head.state_dict().items()},
)
