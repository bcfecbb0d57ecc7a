"""PixPro in PyTorch, written from the paper and the published hyper-parameters.

It serves twice: the Swift program is timed against it in one run, and its losses,
gradients and updates are compared with those of the Swift program.
The dialect is the one of the published training code ("official" in the README):
L2-normalised values in the propagation module, distances divided by the larger of the
two cell diagonals, a strict threshold, a loss in [-4, 4], images without overlap kept
in the mean, a projector of width 4096.
"""
import math

import torch
import torch.nn.functional as F
import torchvision
from torch import nn


class Projector(nn.Module):
    """1x1 conv (with bias) -> BN -> ReLU -> 1x1 conv (with bias)."""

    def __init__(self, channels_in, hidden=4096, channels_out=256):
        super().__init__()
        self.linear1 = nn.Conv2d(channels_in, hidden, 1)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.linear2 = nn.Conv2d(hidden, channels_out, 1)

    def forward(self, x):
        return self.linear2(F.relu(self.bn1(self.linear1(x))))


class Trunk(torchvision.models.ResNet):
    """torchvision ResNet up to C5: no pooling, no classifier."""

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class TinyTrunk(Trunk):
    """A ResNet of one basic block a stage, 4 to 32 channels wide: for small reference files only.

    [N,3,H,W] -> [N,32,H/32,W/32].
    """

    def __init__(self):
        nn.Module.__init__(self)
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        for stage, (inputs, width) in enumerate([(4, 4), (4, 8), (8, 16), (16, 32)], 1):
            down = None
            if stage > 1:
                down = nn.Sequential(nn.Conv2d(inputs, width, 1, 2, bias=False), nn.BatchNorm2d(width))
            block = torchvision.models.resnet.BasicBlock(inputs, width, 2 if stage > 1 else 1, down)
            setattr(self, f"layer{stage}", nn.Sequential(block))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(m, torchvision.models.resnet.BasicBlock):
                nn.init.zeros_(m.bn2.weight)


def backbone(arch):
    """A trunk with the last BN gamma of every block at zero, and the channels of its C5; "tiny" for small files."""
    if arch == "tiny":
        return TinyTrunk(), 32
    net = getattr(torchvision.models, arch)(zero_init_residual=True)
    channels = net.fc.in_features
    del net.avgpool, net.fc
    net.__class__ = Trunk
    return net, channels


def cell_centres(box, height, width):
    """box [N,4] = x0,y0,x1,y1 -> centre x [N,1,W], centre y [N,H,1], cell diagonal [N]."""
    cell_w, cell_h = (box[:, 2] - box[:, 0]) / width, (box[:, 3] - box[:, 1]) / height
    columns = torch.arange(width, dtype=box.dtype) + 0.5
    rows = torch.arange(height, dtype=box.dtype) + 0.5
    x = box[:, 0, None] + cell_w[:, None] * columns
    y = box[:, 1, None] + cell_h[:, None] * rows
    return x[:, None, :], y[:, :, None], torch.sqrt(cell_w ** 2 + cell_h ** 2)


def positives(box_q, box_k, height, width, threshold):
    """[N, HW, HW]: 1 where two cells' centres lie closer than threshold x the larger diagonal."""
    n = len(box_q)
    qx, qy, qd = cell_centres(box_q, height, width)
    kx, ky, kd = cell_centres(box_k, height, width)
    flat = lambda x, y: (x.expand(n, height, width).reshape(n, -1), y.expand(n, height, width).reshape(n, -1))
    (qx, qy), (kx, ky) = flat(qx, qy), flat(kx, ky)
    distance = torch.sqrt((qx[:, :, None] - kx[:, None, :]) ** 2 + (qy[:, :, None] - ky[:, None, :]) ** 2)
    return (distance / torch.maximum(qd, kd)[:, None, None] < threshold).to(box_q.dtype)


def consistency(query, key, box_q, box_k, threshold):
    """query, key: [N,C,H,W], unit vectors per pixel. Returns a scalar in [-2, 2]."""
    n, c, h, w = query.shape
    mask = positives(box_q, box_k, h, w, threshold)
    cosine = query.reshape(n, c, -1).transpose(1, 2) @ key.reshape(n, c, -1)
    return -2 * ((cosine * mask).sum((1, 2)) / (mask.sum((1, 2)) + 1e-6)).mean()


class PixPro(nn.Module):
    def __init__(self, arch="resnet50", gamma=2.0, clamp=0.0, threshold=0.7, base_momentum=0.99, total_steps=1000,
                 hidden=4096, projection=256):
        super().__init__()
        self.gamma, self.clamp, self.threshold = gamma, clamp, threshold
        self.base_momentum, self.total_steps, self.step = base_momentum, total_steps, 0
        self.encoder, channels = backbone(arch)
        self.projector = Projector(channels, hidden, projection)
        self.encoder_k, _ = backbone(arch)
        self.projector_k = Projector(channels, hidden, projection)
        self.value_transform = nn.Conv2d(projection, projection, 1)
        for online, target in self.twins():
            target.load_state_dict(online.state_dict())
            for p in target.parameters():
                p.requires_grad_(False)

    def twins(self):
        return (self.encoder, self.encoder_k), (self.projector, self.projector_k)

    def propagate(self, x):
        """Pixel propagation: y_i = sum_j max(cos(x_i, x_j), clamp)^gamma * g(x_j)/|g(x_j)|."""
        n, c, h, w = x.shape
        values = F.normalize(self.value_transform(x), dim=1).reshape(n, c, -1)
        unit = F.normalize(x, dim=1).reshape(n, c, -1)
        similarity = (unit.transpose(1, 2) @ unit).clamp(min=self.clamp) ** self.gamma
        return (values @ similarity.transpose(1, 2)).reshape(n, c, h, w)

    def momentum(self):
        return 1 - (1 - self.base_momentum) * (math.cos(math.pi * self.step / self.total_steps) + 1) / 2

    def forward(self, view1, view2, box1, box2):
        unit = lambda x: F.normalize(x, dim=1)
        prediction = [unit(self.propagate(self.projector(self.encoder(v)))) for v in (view1, view2)]
        with torch.no_grad():
            m = self.momentum()
            self.step += 1
            for online, target in self.twins():
                for p, t in zip(online.parameters(), target.parameters()):
                    t.mul_(m).add_(p, alpha=1 - m)
            target = [unit(self.projector_k(self.encoder_k(v))) for v in (view1, view2)]
        return consistency(prediction[0], target[1], box1, box2, self.threshold) \
            + consistency(prediction[1], target[0], box2, box1, self.threshold)


class LARS:
    """Momentum SGD whose step is scaled per tensor; 1-d parameters take plain momentum SGD without decay.

    g += wd*w;  g *= trust*|w|/(|g| + eps) where both norms are positive;  v = mu*v + g;  w -= lr*v.
    """

    def __init__(self, parameters, momentum=0.9, weight_decay=1e-5, trust=0.001, eps=1e-8):
        self.parameters = [p for p in parameters if p.requires_grad]
        self.velocity = [None] * len(self.parameters)
        self.momentum, self.weight_decay, self.trust, self.eps = momentum, weight_decay, trust, eps

    @torch.no_grad()
    def update(self, lr):
        for i, p in enumerate(self.parameters):
            g = p.grad
            if p.ndim > 1:
                g = g + self.weight_decay * p
                wn, gn = p.norm(), g.norm()
                if wn > 0 and gn > 0:
                    g = g * (self.trust * wn / (gn + self.eps))
            self.velocity[i] = g.clone() if self.velocity[i] is None else self.velocity[i].mul_(self.momentum).add_(g)
            p.add_(self.velocity[i], alpha=-lr)
            p.grad = None
