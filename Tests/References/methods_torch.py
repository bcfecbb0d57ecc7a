"""PixContrast, instance branches, pyramid pre-training and the paper's dialect in PyTorch: all beside plain PixPro.

Written from the PixPro paper (section 3) and from BYOL's and SimCLR's losses. With the default settings a Learner
computes what pixpro_torch.PixPro does, to the last bit. Dialects: "official" (values of the propagation normalised,
distance < threshold, -2 cos, images without a positive count 0) and "paper" (g(x) as it is, distance <= threshold,
-cos, images without a positive leave the mean).

Chosen here, since paper and code are silent:
  PixContrast has no factor 2 in either dialect; its threshold and its mean over images are the dialect's.
  byol is -2 mean cos for each direction in both dialects; simclr the plain cross-entropy, both directions summed.
  Pyramid levels and towers have equal weights; each level passes the shared projector on its own (normalisation
  statistics of that level and view alone; running statistics move once per level, finest first).
  The instance branch always stands on C5.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

from pixpro_torch import Projector, backbone, cell_centres


def unit(x):
    """[N,C,...] -> the same, of length 1 over channels."""
    return F.normalize(x, dim=1)


def trunk_maps(net, x):
    """Images [N,3,H,W] -> {2: C2, 3: C3, 4: C4, 5: C5}, strides 4 to 32."""
    x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
    c2 = net.layer1(x)
    c3 = net.layer2(c2)
    c4 = net.layer3(c3)
    return {2: c2, 3: c3, 4: c4, 5: net.layer4(c4)}


class ConvNorm(nn.Module):
    """k x k convolution without bias -> BN ("bn"), or with bias and no norm ("none"): [N,C,H,W] -> [N,C',H,W]."""

    def __init__(self, channels_in, channels, kernel, norm="bn"):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, kernel, padding=kernel // 2, bias=norm == "none")
        if norm == "bn":
            nn.init.xavier_uniform_(self.conv.weight)
            self.bn = nn.BatchNorm2d(channels)
        else:
            xavier_fill(self.conv)

    def forward(self, x):
        x = self.conv(x)
        return self.bn(x) if hasattr(self, "bn") else x


def xavier_fill(conv):
    """Weights uniform in +-sqrt(3 / fan_in), bias 0: the detectors' FPN initialisation."""
    nn.init.kaiming_uniform_(conv.weight, a=1)
    nn.init.zeros_(conv.bias)


class Pyramid(nn.Module):
    """{l: C_l [N,C_l,H_l,W_l]} -> {l: P_l [N,channels,H_l,W_l]}.

    M_l = lateral_l(C_l) + M_(l+1) enlarged, P_l = output_l(M_l). Enlarging is nearest-neighbour to the lateral's exact
    size: row i takes row floor(i h / H). With top_levels 2 there are also P6 = p6(P5) and P7 = p7(relu(P6)), 3x3
    convolutions of stride 2 with bias and no norm.
    """

    def __init__(self, channels_in, channels=256, norm="bn", top_levels=0):
        super().__init__()
        self.levels = sorted(channels_in)
        for level in self.levels:
            self.add_module(f"lateral{level}", ConvNorm(channels_in[level], channels, 1, norm))
        for level in self.levels:
            self.add_module(f"output{level}", ConvNorm(channels, channels, 3, norm))
        for i in range(top_levels):
            conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
            xavier_fill(conv)
            self.add_module(f"p{self.levels[-1] + 1 + i}", conv)
        self.top = [self.levels[-1] + 1 + i for i in range(top_levels)]

    def forward(self, maps):
        merged, out = None, {}
        for level in reversed(self.levels):
            lateral = getattr(self, f"lateral{level}")(maps[level])
            if merged is not None:
                lateral = lateral + F.interpolate(merged, size=lateral.shape[2:], mode="nearest")
            merged = lateral
            out[level] = getattr(self, f"output{level}")(merged)
        out = {level: out[level] for level in self.levels}
        for i, level in enumerate(self.top):
            below = out[level - 1]
            out[level] = getattr(self, f"p{level}")(below if i == 0 else F.relu(below))
        return out


class TowerLayer(nn.Module):
    """3x3 convolution (with bias) -> GroupNorm of 32 groups -> ReLU: [N,C,H,W] -> [N,C,H,W]."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.gn = nn.GroupNorm(32, channels)
        nn.init.normal_(self.conv.weight, std=0.01)
        nn.init.zeros_(self.conv.bias)

    def forward(self, x):
        return F.relu(self.gn(self.conv(x)))


def tower(channels, depth):
    """One of FCOS's two towers, shared over levels: `depth` layers, [N,C,H,W] -> [N,C,H,W]."""
    return nn.Sequential(*(TowerLayer(channels) for _ in range(depth)))


def positives(box_q, box_k, height, width, threshold, inclusive):
    """Boxes [N,4] -> bool [N,HW,HW]: cells closer than threshold x larger diagonal, or (inclusive) as close (Eq. 1)."""
    n = len(box_q)
    qx, qy, qd = cell_centres(box_q, height, width)
    kx, ky, kd = cell_centres(box_k, height, width)
    flat = lambda v: v.expand(n, height, width).reshape(n, -1)
    square = lambda q, k: (flat(q)[:, :, None] - flat(k)[:, None, :]) ** 2
    ratio = torch.sqrt(square(qx, kx) + square(qy, ky)) / torch.maximum(qd, kd)[:, None, None]
    return ratio <= threshold if inclusive else ratio < threshold


def propagate(x, transform, gamma, clamp, normalize_values):
    """[N,C,H,W] -> the same: y_i = sum_j max(cos(x_i, x_j), clamp)^gamma g(x_j) (Eq. 3, 4), g(x_j) unit if asked."""
    n, c, h, w = x.shape
    values = transform(x)
    values = (unit(values) if normalize_values else values).reshape(n, c, -1)
    cells = unit(x).reshape(n, c, -1)
    similarity = (cells.transpose(1, 2) @ cells).clamp(min=clamp) ** gamma
    return (values @ similarity.transpose(1, 2)).reshape(n, c, h, w)


def consistency_per_image(cosine, mask):
    """cosine, mask [N,P,P] -> [N]: minus the mean cosine of positive pairs, 0 without one (Eq. 5, one direction)."""
    mask = mask.to(cosine.dtype)
    return -(cosine * mask).sum((1, 2)) / (mask.sum((1, 2)) + 1e-6)


def contrast_per_image(cosine, mask, temperature):
    """cosine, mask [N,P,P] -> [N]: mean of -log(sum_pos e^(c/t) / sum_all e^(c/t)) over cells with a positive (Eq. 2)."""
    image, cell = mask.any(2).nonzero(as_tuple=True)
    logits = (cosine / temperature)[image, cell]
    matching = logits.masked_fill(~mask[image, cell], -math.inf)
    losses = torch.logsumexp(logits, 1) - torch.logsumexp(matching, 1)
    total = cosine.new_zeros(len(cosine)).index_add(0, image, losses)
    return total / mask.any(2).sum(1).clamp(min=1)


class Learner(nn.Module):
    """PixPro or PixContrast on C5 or on a pyramid's levels, with or without an instance branch.

    Modules: encoder; without a pyramid projector and (PixPro) value_transform; with one pyramid, and for each tower t
    of cls and bbox tower_t, projector_t, value_transform_t, or with towers of depth 0 projector and value_transform
    directly on the levels; projector_instance and (byol) predictor. Each but value_transform* and predictor has a
    momentum copy, named *_k.
    """

    def __init__(self, arch="resnet50", method="pixpro", instance="none", instance_weight=1.0, temperature=0.3,
                 instance_temperature=0.2, dialect="official", levels=(), pyramid_channels=256, tower_depth=0,
                 gamma=2.0, clamp=0.0, threshold=0.7, base_momentum=0.99, total_steps=1000, hidden=4096,
                 projection=256):
        super().__init__()
        assert method in ("pixpro", "pixcontrast") and instance in ("none", "byol", "simclr")
        assert dialect in ("official", "paper") and (levels or not tower_depth)
        self.method, self.instance, self.paper, self.levels = method, instance, dialect == "paper", tuple(levels)
        self.instance_weight = instance_weight
        self.temperature, self.instance_temperature = temperature, instance_temperature
        self.gamma, self.clamp, self.threshold = gamma, clamp, threshold
        self.base_momentum, self.total_steps, self.step, self.terms = base_momentum, total_steps, 0, {}
        self.towers = ("_cls", "_bbox") if tower_depth else ("",)
        self.followed = []

        def add(name, make):
            """An online module and its momentum copy."""
            for suffix in ("", "_k"):
                self.add_module(name + suffix, make())
            self.followed.append(name)

        _, c5 = backbone(arch)
        add("encoder", lambda: backbone(arch)[0])
        if levels:
            add("pyramid", lambda: Pyramid({l: c5 >> (5 - l) for l in levels}, pyramid_channels))
        for t in self.towers:
            if tower_depth:
                add("tower" + t, lambda: tower(pyramid_channels, tower_depth))
            add("projector" + t, lambda: Projector(pyramid_channels if levels else c5, hidden, projection))
            if method == "pixpro":
                self.add_module("value_transform" + t, nn.Conv2d(projection, projection, 1))
        if instance != "none":
            add("projector_instance", lambda: Projector(c5, hidden, projection))
        if instance == "byol":
            self.predictor = Projector(projection, hidden, projection)
        for online, target in self.twins():
            target.load_state_dict(online.state_dict())
            target.requires_grad_(False)

    def twins(self):
        """Pairs of an online module and its momentum copy."""
        return [(getattr(self, name), getattr(self, name + "_k")) for name in self.followed]

    def momentum(self):
        return 1 - (1 - self.base_momentum) * (math.cos(math.pi * self.step / self.total_steps) + 1) / 2

    def stages(self, view, suffix=""):
        """View [N,3,H,W] -> {name: map}: encoder (C5), and per term [level<l>.][<tower>.] pyramid, tower, projection.

        suffix "_k" takes the momentum networks. projection is [N,256,H,W], before normalisation.
        """
        part = lambda name: getattr(self, name + suffix)
        maps = trunk_maps(part("encoder"), view)
        out = {"encoder": maps[5]}
        for level, x in part("pyramid")(maps).items() if self.levels else [(None, maps[5])]:
            place = f"level{level}." if level else ""
            if level:
                out[place + "pyramid"] = x
            for t in self.towers:
                branch, y = place + (t[1:] + "." if t else ""), x
                if t:
                    out[branch + "tower"] = y = part("tower" + t)(x)
                out[branch + "projection"] = part("projector" + t)(y)
        return out

    def propagated(self, stages):
        """Adds to online stages what PixPro's propagation makes of each projection, as <term>propagated."""
        for name in [name for name in stages if name.endswith("projection")]:
            term = name.removesuffix("projection")
            tower_name = next((t for t in self.towers if t and term.endswith(t[1:] + ".")), "")
            transform = getattr(self, "value_transform" + tower_name)
            stages[term + "propagated"] = propagate(stages[name], transform, self.gamma, self.clamp, not self.paper)
        return stages

    def instance_vector(self, c5, suffix=""):
        """C5 [N,C,H,W] -> unit vectors [N,256] of the online branch or of the momentum one ("_k")."""
        project = getattr(self, "projector_instance" + suffix)
        if self.instance == "simclr":  # pooled first, so that normalisation sees N values
            return unit(project(c5.mean((2, 3), keepdim=True)).flatten(1))
        dense = project(c5)
        return unit((dense if suffix else self.predictor(dense)).mean((2, 3)))

    def features(self, view):
        """View [N,3,H,W] -> {name: tensor} of the online branch: all stages, and instance [N,256]."""
        out = self.stages(view)
        if self.method == "pixpro":
            out = self.propagated(out)
        if self.instance != "none":
            out["instance"] = self.instance_vector(out["encoder"])
        return out

    def pixel_loss(self, query, key, box_q, box_k):
        """Unit maps [N,C,H,W] of two views and their boxes [N,4] -> scalar, one direction."""
        n, c, h, w = query.shape
        mask = positives(box_q, box_k, h, w, self.threshold, inclusive=self.paper)
        cosine = query.reshape(n, c, -1).transpose(1, 2) @ key.reshape(n, c, -1)
        if self.method == "pixcontrast":
            losses = contrast_per_image(cosine, mask, self.temperature)
        else:
            losses = consistency_per_image(cosine, mask) * (1 if self.paper else 2)
        if self.paper:
            return losses.sum() / mask.any(2).any(1).sum().clamp(min=1)
        return losses.mean()

    def instance_loss(self, query, key):
        """Unit vectors [N,256] of the whole batch -> scalar: -2 mean cos (byol), InfoNCE over all keys (simclr)."""
        if self.instance == "byol":
            return -2 * (query * key).sum(1).mean()
        return F.cross_entropy(query @ key.T / self.instance_temperature, torch.arange(len(query)))

    def forward(self, view1, view2, box1, box2):
        """Views [N,3,H,W], boxes [N,4] -> total loss; its parts are left in `terms`, detached."""
        online = [self.features(v) for v in (view1, view2)]
        with torch.no_grad():
            m = self.momentum()
            self.step += 1
            for source, target in self.twins():
                for p, t in zip(source.parameters(), target.parameters()):
                    t.mul_(m).add_(p, alpha=1 - m)
            target = [self.stages(v, "_k") for v in (view1, view2)]
            if self.instance != "none":
                for stage in target:
                    stage["instance"] = self.instance_vector(stage["encoder"], "_k")
        directions = ((online[0], target[1], box1, box2), (online[1], target[0], box2, box1))
        predicted = "propagated" if self.method == "pixpro" else "projection"
        places = [name.removesuffix("projection") for name in online[0] if name.endswith("projection")]
        one_way = lambda place, q, k, bq, bk: self.pixel_loss(
            unit(q[place + predicted]), unit(k[place + "projection"]), bq, bk)
        terms = {place.rstrip("."): sum(one_way(place, *direction) for direction in directions) for place in places}
        total = pixel = sum(terms.values()) / len(terms)
        self.terms = {"pixel": pixel} | {name: value for name, value in terms.items() if name}
        if self.instance != "none":
            self.terms["instance"] = sum(self.instance_loss(q["instance"], k["instance"]) for q, k, _, _ in directions)
            total = pixel + self.instance_weight * self.terms["instance"]
        self.terms = {name: value.detach() for name, value in self.terms.items()}
        return total
