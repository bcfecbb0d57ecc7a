"""Fine-tuning for dense tasks in PyTorch: an FCN segmentation head and FCOS, oracle and speed peer of both.

Written from the FCN and FCOS papers. Module names continue the pre-training's:
encoder.*, pyramid.*, tower_cls.*, tower_bbox.* load from methods_torch.Learner as they are.

Chosen here, since the sources differ or are silent:
  boxes are continuous, without "+1 pixel"; of equal areas the lowest index wins; boxes that clipping leaves empty are
  dropped before NMS (detectron2 drops them after); in a tie of scores the finer level, the earlier point, the lower class
  comes first; exactly `keep` boxes remain.
  convention "torchvision" reproduces that library's FCOS instead: points at j s' without the half stride, where s' is the
  padded size divided by the grid's, rounded down (s where 2^level divides the size), size ranges open,
  GIoU of pixel boxes without the "+1", regression not weighted by centerness, no s_l, score threshold 0.2 on the root of
  cls x ctr, empty boxes kept, equal areas as its float32 keys have it.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

from methods_torch import ConvNorm, Pyramid, tower, trunk_maps
from pixpro_torch import backbone


class SGD:
    """Momentum SGD: g += wd w (wd_1d for 1-d tensors); v = mu v + g (first v = g); w -= lr v, *.bias (betas too): lr x factor."""

    def __init__(self, model, momentum=0.9, weight_decay=1e-4, weight_decay_1d=0.0, bias_lr_factor=1.0):
        self.parameters = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        self.velocity = {}
        self.momentum, self.decay, self.decay_1d, self.factor = momentum, weight_decay, weight_decay_1d, bias_lr_factor

    @torch.no_grad()
    def update(self, lr):
        for name, p in self.parameters:
            g = p.grad + (self.decay if p.ndim > 1 else self.decay_1d) * p
            self.velocity[name] = self.velocity[name] * self.momentum + g if name in self.velocity else g
            p.sub_(self.velocity[name], alpha=lr * (self.factor if name.endswith(".bias") else 1))
            p.grad = None


def freeze_norms(trunk):
    """Makes every BN of a module a fixed affine map: running statistics, no gradient to gamma and beta."""
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval().requires_grad_(False)


class Trained(nn.Module):
    """What both models share: an encoder whose BN is "train" (batch statistics) or "frozen"."""

    def __init__(self, arch, trunk_norm):
        super().__init__()
        self.encoder, self.channels = backbone(arch)
        self.trunk_norm = trunk_norm
        self.train()

    def train(self, mode=True):
        super().train(mode)
        if self.trunk_norm == "frozen":
            freeze_norms(self.encoder)
        return self


# Segmentation


def dilate(trunk, output_stride=16):
    """Stride 1 in layer4 (16) or layer3 and layer4 (8); their rate doubles after the first block, which keeps the one before."""
    rate = 1
    for stage in {32: [], 16: [trunk.layer4], 8: [trunk.layer3, trunk.layer4]}[output_stride]:
        for i, block in enumerate(stage):
            for conv in block.modules():
                if isinstance(conv, nn.Conv2d):
                    conv.stride = (1, 1)
                    if conv.kernel_size == (3, 3):
                        conv.dilation = conv.padding = (rate if i == 0 else 2 * rate,) * 2
        rate *= 2


class DilatedConv(nn.Module):
    """3x3 convolution of a dilation (no bias) -> BN -> ReLU: [N,C,h,w] -> [N,C',h,w]."""

    def __init__(self, channels_in, channels, dilation):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, 3, padding=dilation, dilation=dilation, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class FCNHead(nn.Module):
    """C5 [N,C,h,w] -> logits [N,K,h,w]: two dilated 3x3 convolutions with BN and ReLU, a 1x1 convolution with bias."""

    def __init__(self, channels_in, classes, channels=256, dilation=6):
        super().__init__()
        self.convs = nn.Sequential(DilatedConv(channels_in, channels, dilation), DilatedConv(channels, channels, dilation))
        self.conv_seg = nn.Conv2d(channels, classes, 1)

    def forward(self, x):
        return self.conv_seg(self.convs(x))


def segmentation_loss(logits, labels, ignore=255):
    """Logits [N,K,h,w], labels [N,H,W] -> cross-entropy of the bilinear logits (align_corners False), mean over valid pixels."""
    logits = F.interpolate(logits, size=labels.shape[1:], mode="bilinear", align_corners=False)
    total = F.cross_entropy(logits, labels, ignore_index=ignore, reduction="sum")
    return total / (labels != ignore).sum().clamp(min=1)


class Segmenter(Trained):
    """Dilated ResNet and FCN head; names encoder.*, decode_head.* (mmsegmentation's)."""

    def __init__(self, arch="resnet50", classes=21, channels=256, output_stride=16, trunk_norm="train"):
        super().__init__(arch, trunk_norm)
        dilate(self.encoder, output_stride)
        self.decode_head = FCNHead(self.channels, classes, channels)

    def forward(self, images):
        """[N,3,H,W] -> logits [N,K,h,w] at the output stride."""
        return self.decode_head(self.encoder(images))


# Detection


class Scale(nn.Module):
    """x -> s x with one learned number, s = 1 at first."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x * self.scale


def points(height, width, stride, convention, padded):
    """[HW,2]: (x, y) of a level's cells row by row: (j s + s // 2, i s + s // 2); torchvision: (j (W // w), i (H // h))."""
    step_y, step_x, offset = stride, stride, stride // 2
    if convention == "torchvision":
        step_y, step_x, offset = padded[0] // height, padded[1] // width, 0
    y, x = torch.meshgrid(torch.arange(height) * step_y + offset, torch.arange(width) * step_x + offset, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2)


def assign(points, strides, lows, highs, boxes, convention):
    """Points [P,2], their strides and size ranges [P], boxes [M,4] -> index of each point's box, -1 for background: [P].

    A point is a box's if it lies strictly inside the box and the square of half-side 1.5 s about its centre, and if
    max(l, t, r, b) is in [low, high]; of several boxes the smallest, of equal ones the first.
    """
    if len(boxes) == 0:
        return torch.full((len(points),), -1)
    sides = torch.cat([points[:, None] - boxes[None, :, :2], boxes[None, :, 2:] - points[:, None]], 2)  # l, t, r, b
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    near = (points[:, None] - centre[None]).abs().amax(2) < 1.5 * strides[:, None]
    reach = sides.amax(2)
    low, high = lows[:, None], highs[:, None]
    fits = (reach > low) & (reach < high) if convention == "torchvision" else (reach >= low) & (reach <= high)
    candidate = near & (sides.amin(2) > 0) & fits
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    if convention == "torchvision":
        area = -(1e8 - area).float()
    best = area[None].expand(candidate.shape).masked_fill(~candidate, math.inf).argmin(1)
    return best.where(candidate.any(1), torch.tensor(-1))


def focal_loss(logits, truth, alpha=0.25, gamma=2):
    """Logits and 0/1 truth of one shape -> the sum of alpha_t (1 - p_t)^gamma (-log p_t)."""
    p = torch.sigmoid(logits)
    return (truth * alpha * (1 - p) ** gamma * F.softplus(-logits)
            + (1 - truth) * (1 - alpha) * p ** gamma * F.softplus(logits)).sum()


def giou(predicted, target, plus_one):
    """(l,t,r,b) [P,4] about the same points -> GIoU [P]; plus_one: (I + 1) / (U + 1) as IoU, else eps 1e-7 as torchvision."""
    area = lambda d: (d[:, 0] + d[:, 2]) * (d[:, 1] + d[:, 3])
    smaller, larger = torch.minimum(predicted, target), torch.maximum(predicted, target)
    intersection, hull = area(smaller), area(larger)
    union = area(predicted) + area(target) - intersection
    if plus_one:
        return (intersection + 1) / (union + 1) - (hull - union) / hull
    return intersection / (union + 1e-7) - (hull - union) / (hull + 1e-7)


def centerness(d):
    """(l,t,r,b) [P,4] -> sqrt(min(l,r)/max(l,r) min(t,b)/max(t,b)): [P]."""
    ratio = lambda a, b: torch.minimum(a, b) / torch.maximum(a, b)
    return torch.sqrt(ratio(d[:, 0], d[:, 2]) * ratio(d[:, 1], d[:, 3]))


def box_iou(a, b):
    """[P,4], [Q,4] corners -> [P,Q], no "+1"."""
    low, high = torch.maximum(a[:, None, :2], b[None, :, :2]), torch.minimum(a[:, None, 2:], b[None, :, 2:])
    area = lambda c: (c[..., 2] - c[..., 0]) * (c[..., 3] - c[..., 1])
    intersection = (high - low).clamp(min=0).prod(2)
    return intersection / (area(a)[:, None] + area(b)[None] - intersection)


def suppress(boxes, scores, labels, limit):
    """Greedy NMS within each class: indices kept, highest score first (stable); IoU > limit with a kept box removes."""
    order = torch.sort(scores, descending=True, stable=True).indices
    overlaps = (box_iou(boxes, boxes) > limit) & (labels[:, None] == labels[None])
    kept, removed = [], torch.zeros(len(boxes), dtype=torch.bool)
    for i in order.tolist():
        if not removed[i]:
            kept.append(i)
            removed |= overlaps[i]
    return torch.tensor(kept, dtype=torch.long)


class FCOS(Trained):
    """FCOS on levels P3 to P5 or P3 to P7.

    Names: encoder.*, pyramid.*, tower_cls.<i>.{conv,gn}.*, tower_bbox.<i>.{conv,gn}.*, cls_logits.*, bbox_pred.*,
    ctrness.*, scales.<i>.scale [1] (i counts levels from the finest).
    """

    def __init__(self, arch="resnet50", classes=80, levels=(3, 4, 5, 6, 7), channels=256, depth=4, pyramid_norm="none",
                 trunk_norm="train", ranges=(64, 128, 256, 512), convention="fcos"):
        super().__init__(arch, trunk_norm)
        assert convention in ("fcos", "torchvision") and tuple(levels[:3]) == (3, 4, 5)
        self.classes, self.levels, self.convention = classes, tuple(levels), convention
        bounds = [-1.0, *ranges[:len(levels) - 1], 1e8 if convention == "fcos" else math.inf]
        self.ranges = list(zip(bounds, bounds[1:]))
        self.pyramid = Pyramid({l: self.channels >> (5 - l) for l in (3, 4, 5)}, channels, pyramid_norm, len(levels) - 3)
        self.tower_cls, self.tower_bbox = tower(channels, depth), tower(channels, depth)
        predictor = lambda outputs: nn.Conv2d(channels, outputs, 3, padding=1)
        self.cls_logits, self.bbox_pred, self.ctrness = predictor(classes), predictor(4), predictor(1)
        for conv in (self.cls_logits, self.bbox_pred, self.ctrness):
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(conv.bias)
        nn.init.constant_(self.cls_logits.bias, -math.log(99))  # pi = 0.01
        if convention == "fcos":
            self.scales = nn.ModuleList(Scale() for _ in levels)

    def forward(self, images):
        """[N,3,H,W] -> per level (logits [N,K,h,w], distances [N,4,h,w] in strides, centerness logits [N,1,h,w])."""
        self.padded = tuple(images.shape[2:])
        return self.predict(self.pyramid(trunk_maps(self.encoder, images)))

    def predict(self, pyramid):
        """{l: P_l [N,C,h,w]} -> the same outputs."""
        out = []
        for i, p in enumerate(pyramid.values()):
            cls, box = self.tower_cls(p), self.tower_bbox(p)
            distance = self.bbox_pred(box)
            if self.convention == "fcos":
                distance = self.scales[i](distance)
            out.append((self.cls_logits(cls), F.relu(distance), self.ctrness(box)))
        return out

    def grid(self, out):
        """Outputs by level -> points [P,2], strides [P], lows [P], highs [P], in the outputs' precision, finest level first."""
        rows = []
        for level, (low, high), (logits, _, _) in zip(self.levels, self.ranges, out):
            p = points(*logits.shape[2:], 2 ** level, self.convention, self.padded).to(logits.dtype)
            column = lambda v: p.new_full((len(p),), v)
            rows.append((p, column(2 ** level), column(low), column(high)))
        return [torch.cat(parts) for parts in zip(*rows)]

    def targets(self, out, boxes):
        """Outputs and a list of boxes [M_n,4] -> box indices [N,P] (-1: none), distances [N,P,4] in strides (0: none)."""
        p, strides, lows, highs = self.grid(out)
        index = torch.stack([assign(p, strides, lows, highs, b, self.convention) for b in boxes])
        distances = p.new_zeros(*index.shape, 4)
        for n, b in enumerate(boxes):
            at = index[n] >= 0
            mine = b[index[n][at]]
            distances[n][at] = torch.cat([p[at] - mine[:, :2], mine[:, 2:] - p[at]], 1) / strides[at, None]
        return index, distances

    def losses(self, out, boxes, labels):
        """Outputs, boxes [M_n,4] and classes [M_n] of each image -> {cls, reg, ctr} and {positives, centerness_sum}.

        N positives and Z = sum of their centerness over the whole batch: focal sum / max(N, 1), sum c (1 - GIoU) / max(Z, 1e-6),
        BCE sum / max(N, 1). torchvision: sum (1 - GIoU) / max(N, 1).
        """
        flat = lambda part: torch.cat([level[part].flatten(2).transpose(1, 2) for level in out], 1)  # [N,P,.]
        logits, predicted, quality = flat(0), flat(1), flat(2)[..., 0]
        index, distances = self.targets(out, boxes)
        truth = torch.zeros_like(logits)
        for n, c in enumerate(labels):
            at = (index[n] >= 0).nonzero()[:, 0]
            truth[n, at, c[index[n][at]]] = 1
        at, torchvision = index >= 0, self.convention == "torchvision"
        c = centerness(distances[at])
        positives = at.sum().clamp(min=1)
        if torchvision:
            strides = self.grid(out)[1].expand(at.shape)[at][:, None]
            reg = (1 - giou(predicted[at] * strides, distances[at] * strides, plus_one=False)).sum() / positives
        else:
            reg = (c * (1 - giou(predicted[at], distances[at], plus_one=True))).sum() / c.sum().clamp(min=1e-6)
        terms = {"cls": focal_loss(logits, truth) / positives, "reg": reg,
                 "ctr": F.binary_cross_entropy_with_logits(quality[at], c, reduction="sum") / positives}
        return terms, {"positives": at.sum(), "centerness_sum": c.sum()}

    def detect(self, out, sizes, threshold=None, candidates=1000, limit=0.6, keep=100):
        """Outputs of evaluation mode, un-padded (height, width) of each image -> [(boxes [D,4], scores, classes, points [D])].

        Per level: pairs (point, class) with cls > 0.05 (torchvision: root > 0.2), the `candidates` best by cls x ctr; score
        sqrt(cls x ctr); boxes clipped; NMS within classes over all levels; the `keep` best. points: as in `targets`.
        """
        torchvision, found = self.convention == "torchvision", []
        threshold = threshold or (0.2 if torchvision else 0.05)
        for n, (height, width) in enumerate(sizes):
            rows, before = [], 0
            for level, (logits, distance, quality) in zip(self.levels, out):
                p = points(*logits.shape[2:], 2 ** level, self.convention, self.padded).to(logits.dtype)
                cls = torch.sigmoid(logits[n].flatten(1).T)  # [P,K]
                score = torch.sqrt(cls * torch.sigmoid(quality[n].flatten(1).T))
                place = ((score if torchvision else cls) > threshold).flatten().nonzero()[:, 0]
                best = torch.sort(score.flatten()[place], descending=True, stable=True).indices[:candidates]
                place = place[best]
                d = distance[n].flatten(1).T[place // self.classes] * 2 ** level
                at = p[place // self.classes]
                box = torch.cat([at - d[:, :2], at + d[:, 2:]], 1)
                box = torch.minimum(box.clamp(min=0), box.new_tensor([width, height, width, height]))
                rows.append((box, score.flatten()[place], place % self.classes, before + place // self.classes))
                before += len(p)
            columns = [torch.cat(parts) for parts in zip(*rows)]
            if not torchvision:
                full = ((columns[0][:, 2:] - columns[0][:, :2]) > 0).all(1)
                columns = [column[full] for column in columns]
            kept = suppress(*columns[:3], limit)[:keep]
            found.append(tuple(column[kept] for column in columns))
        return found
