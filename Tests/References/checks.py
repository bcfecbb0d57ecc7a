#!/usr/bin/env python3
"""Checks pixpro_torch and methods_torch: against each other, against loops over scalars, against finite differences.

  python checks.py [default|loops|gradients ...]      each prints what it found, or fails with an assertion
"""
import copy
import itertools
import math
import sys

import torch
import torch.nn.functional as F
from torch import nn

from make_reference import boxes as view_boxes
from methods_torch import Learner, consistency_per_image, contrast_per_image, propagate, unit
from pixpro_torch import LARS, PixPro

torch.set_num_threads(1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def liven(model, g):
    """No norm hides itself: gamma in 0.4...0.8, beta in -0.2...0.2."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim == 1 and ("bn" in name or ".gn." in name):
                p.copy_((0.4 if name.endswith("weight") else -0.2) + 0.4 * torch.rand(p.shape, generator=g))


def default():
    """A Learner with default settings is PixPro to the last bit, over two steps of LARS."""
    states = []
    for kind in (PixPro, Learner):
        torch.manual_seed(0)
        model = kind("resnet18", hidden=64, total_steps=10)
        if states:
            model.load_state_dict(start)
        else:
            liven(model, generator())
            for online, target in model.twins():
                target.load_state_dict(online.state_dict())
            start = copy.deepcopy(model.state_dict())
        optimizer, g, losses = LARS(model.parameters()), generator(1), []
        for _ in range(2):
            views = [torch.randn(3, 3, 64, 64, generator=g) for _ in range(2)]
            loss = model.train()(*views, view_boxes(3, g), view_boxes(3, g))
            loss.backward()
            optimizer.update(0.1)
            losses.append(loss.item())
        states.append((losses, model.state_dict()))
    assert states[0][0] == states[1][0] and states[0][1].keys() == states[1][1].keys()
    assert all(torch.equal(v, states[1][1][k]) for k, v in states[0][1].items())
    print("default Learner = PixPro, losses", states[0][0])


def loops():
    """PixContrast, SimCLR, the mask, the propagation, nearest enlarging: against loops over scalars."""
    g, dot = generator(2), lambda a, b: sum(float(x) * float(y) for x, y in zip(a, b))
    n, c, h, w, t = 3, 5, 2, 3, 0.3
    q, k = (unit(torch.randn(n, c, h, w, generator=g, dtype=torch.float64)) for _ in range(2))
    box_q, box_k = (view_boxes(n, g).double() for _ in range(2))
    box_q[2], box_k[2] = torch.tensor([0, 0, .3, .3]), torch.tensor([.6, .6, 1, 1])
    for dialect in ("official", "paper"):
        for method in ("pixcontrast", "pixpro"):
            model = Learner("resnet18", method, dialect=dialect, hidden=8)
            images, overlapping = [], 0
            for i in range(n):
                def centre(box, u, v):
                    bw, bh = float(box[2] - box[0]) / w, float(box[3] - box[1]) / h
                    return float(box[0]) + (v + .5) * bw, float(box[1]) + (u + .5) * bh, math.hypot(bw, bh)
                cells, total, pairs = list(itertools.product(range(h), range(w))), [], []
                for u, v in cells:
                    x, y, d = centre(box_q[i], u, v)
                    near, everything = 0.0, 0.0
                    for s, r in cells:
                        kx, ky, kd = centre(box_k[i], s, r)
                        cosine = dot(q[i, :, u, v], k[i, :, s, r])
                        everything += math.exp(cosine / t)
                        if math.hypot(x - kx, y - ky) / max(d, kd) < 0.7:
                            near += math.exp(cosine / t)
                            pairs.append(cosine)
                    if near:
                        total.append(-math.log(near / everything))
                overlapping += bool(pairs)
                if method == "pixcontrast":
                    images.append(sum(total) / max(len(total), 1))
                else:
                    images.append(-(2 if dialect == "official" else 1) * sum(pairs) / (len(pairs) + 1e-6))
            wanted = sum(images) / (n if dialect == "official" else overlapping)
            got = model.pixel_loss(q, k, box_q, box_k).item()
            assert abs(got - wanted) < 1e-12 and overlapping == 2, (got, wanted)
            print(f"{method} {dialect}: {got:.12f} = loops")
    model = Learner("resnet18", instance="simclr", hidden=8)
    a, b = (unit(torch.randn(4, 6, generator=g, dtype=torch.float64)) for _ in range(2))
    wanted = sum(-math.log(math.exp(dot(a[i], b[i]) / .2) / sum(math.exp(dot(a[i], b[j]) / .2) for j in range(4)))
                 for i in range(4)) / 4
    assert abs(model.instance_loss(a, b).item() - wanted) < 1e-12
    x = torch.randn(1, 3, 4, 4, generator=g)
    enlarged = F.interpolate(x, size=(7, 7), mode="nearest")
    assert all(enlarged[0, 0, i, j] == x[0, 0, i * 4 // 7, j * 4 // 7] for i in range(7) for j in range(7))
    weight = torch.randn(c, c, generator=g, dtype=torch.float64)
    got = propagate(q, lambda v: F.conv2d(v, weight[:, :, None, None]), 2.0, 0.0, False)[1].reshape(c, -1)
    cells = q[1].reshape(c, -1)
    for i in range(h * w):
        y = [0.0] * c
        for j in range(h * w):
            s = max(dot(cells[:, i], cells[:, j]), 0) ** 2
            y = [a + s * dot(weight[o], cells[:, j]) for o, a in enumerate(y)]
        assert max(abs(float(got[o, i]) - y[o]) for o in range(c)) < 1e-12
    print("simclr, nearest enlarging, propagation without normalised values: loops agree")


def gradients():
    """gradcheck of every loss on tiny sizes; finite differences along random directions through whole models."""
    g = generator(3)
    leaf = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64).requires_grad_()
    check = lambda f, *x: torch.autograd.gradcheck(f, x, eps=1e-6, atol=1e-7)
    mask = torch.rand(2, 4, 4, generator=g) < 0.4
    mask[1] = False
    assert check(lambda c: consistency_per_image(c, mask), leaf(2, 4, 4))
    assert check(lambda c: contrast_per_image(c, mask, 0.3), leaf(2, 4, 4))
    conv = nn.Conv2d(5, 5, 1).double()
    for normalize in (True, False):
        assert check(lambda x: propagate(x, conv, 2.0, 0.0, normalize), leaf(2, 5, 2, 2))
    for instance in ("byol", "simclr"):
        model = Learner("resnet18", instance=instance, hidden=8)
        keys = unit(torch.arange(12.).reshape(3, 4).double().sin())
        assert check(lambda q: model.instance_loss(unit(q), keys), leaf(3, 4))
    print("gradcheck: consistency, contrast, propagation, instance losses")

    def along(name, model, loss_of):
        """(L(w + e d) - L(w - e d)) / 2e against <dL/dw, d> for two directions d over all parameters.

        e falls until no rectifier changes sides in between: on tiny maps 1e-6 is far.
        """
        loss_of().backward()
        parameters = [(p, p.grad.clone()) for p in model.parameters() if p.grad is not None]
        for _ in range(2):
            ds = [torch.randn(p.shape, generator=g, dtype=p.dtype) * p.detach().std(unbiased=False).clamp(min=.05)
                  for p, _ in parameters]
            wanted, slopes = sum((gradient * d).sum().item() for (_, gradient), d in zip(parameters, ds)), []
            for e in (1e-7, 2e-8, 4e-9):
                values = []
                with torch.no_grad():
                    for step in (e, -2 * e, e):
                        for (p, _), d in zip(parameters, ds):
                            p.add_(d, alpha=step)
                        values.append(loss_of().item())
                slopes.append((values[0] - values[1]) / (2 * e))
            slope = min(slopes, key=lambda s: abs(s - wanted))
            assert abs(slope - wanted) < 1e-5 * max(abs(wanted), 0.05), (name, slopes, wanted)
        print(f"finite differences {name}: {slope:.8f} against {wanted:.8f}", flush=True)

    views = [torch.randn(2, 3, 40, 40, generator=g).double() for _ in range(2)]
    box = [view_boxes(2, g).double() for _ in range(2)]
    for settings in ({"method": "pixcontrast", "instance": "simclr", "dialect": "paper"}, {"instance": "byol"},
                     {"levels": (3, 4, 5), "pyramid_channels": 32, "tower_depth": 1},
                     {"levels": (4, 5), "pyramid_channels": 32}):
        torch.manual_seed(0)
        model = Learner("resnet18", hidden=16, base_momentum=1.0, **settings).double()  # momentum 1: keys stay
        liven(model, g)
        along(str(settings), model, lambda: model(*views, *box))


if __name__ == "__main__":
    known = {f.__name__: f for f in (default, loops, gradients)}
    for name in sys.argv[1:] or known:
        print("--", name, flush=True)
        known[name]()
