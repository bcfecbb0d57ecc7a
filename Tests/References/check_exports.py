"""Opens exported networks in the libraries that they are for, and compares what these compute with what the program computed.

    check_exports.py torchvision FILE REFERENCE resnet50          a backbone, strictly but for fc
    check_exports.py fcos FILE REFERENCE CLASSES                  torchvision's fcos_resnet50_fpn, strictly
    check_exports.py timm FOLDER REFERENCE
    check_exports.py pth FILE KEY                                 torch.load(weights_only=True); names, types, shapes, first and last bytes
    check_exports.py onnx FILE REFERENCE                          the checker, and onnxruntime on each set of images

REFERENCE is a safetensors file with `images` and what is to be expected of them, NCHW; of a graph `images.0`, `C2.0`, … for
each set. Prints a line for each output: its name, and the largest difference over the largest value.
"""

import sys

import numpy
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file


def tell(name, got, expected):
    got, expected = numpy.asarray(got), numpy.asarray(expected)
    assert got.shape == expected.shape, f"{name} is {got.shape} and should be {expected.shape}"
    if got.dtype.kind == "i":  # the share of other numbers
        print(name, float((got != expected).mean()))
    else:
        print(name, float(numpy.abs(got - expected).max() / numpy.abs(expected).max()))


def check_torchvision(path, reference, architecture):
    import torchvision

    model = getattr(torchvision.models, architecture)().eval()
    missing, unexpected = model.load_state_dict(load_file(path), strict=False)
    assert sorted(missing) == ["fc.bias", "fc.weight"] and not unexpected, (missing, unexpected)
    expected = load_arrays(reference)
    x = torch.from_numpy(expected["images"])
    with torch.no_grad():
        x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
        for level, stage in enumerate([model.layer1, model.layer2, model.layer3, model.layer4], 2):
            x = stage(x)
            tell(f"C{level}", x, expected[f"C{level}"])


def check_fcos(path, reference, classes):
    from torchvision.models.detection import fcos_resnet50_fpn

    model = fcos_resnet50_fpn(weights=None, weights_backbone=None, num_classes=int(classes)).eval()
    model.load_state_dict(load_file(path), strict=True)
    expected = load_arrays(reference)
    with torch.no_grad():
        features = list(model.backbone(torch.from_numpy(expected["images"])).values())
        for name, value in model.head(features).items():
            tell(name, value, expected[name])


def check_timm(folder, reference):
    import timm

    expected = load_arrays(reference)
    images = torch.from_numpy(expected["images"])
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    assert model.num_classes == 0 and model.num_features == expected["C5"].shape[1]
    with torch.no_grad():
        tell("C5", model.forward_features(images), expected["C5"])
        tell("pooled", model(images), expected["C5"].mean((2, 3)))
        maps = timm.create_model(f"local-dir:{folder}", pretrained=True, features_only=True).eval()(images)
        for level, value in enumerate(maps[1:], 2):
            tell(f"C{level} alone", value, expected[f"C{level}"])


def check_pth(path, key):
    contents = torch.load(path, weights_only=True)
    print(*sorted(contents), file=sys.stderr)
    for name, tensor in sorted(contents[key].items()):
        numbers = tensor.numpy().tobytes()
        shape = "x".join(map(str, tensor.shape)) or "scalar"
        print(name, str(tensor.dtype).removeprefix("torch."), shape, (numbers[:16] + numbers[-16:]).hex())


def check_onnx(path, reference):
    import onnx
    import onnxruntime

    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 13)]
    expected = load_arrays(reference)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    inputs = [value.name for value in session.get_inputs()]
    for number in sorted(int(name.split(".")[1]) for name in expected if name.startswith("images.")):
        for name, value in zip(names, session.run(names, {name: expected[f"{name}.{number}"] for name in inputs})):
            tell(f"{name}.{number}", value, expected[f"{name}.{number}"])


globals()["check_" + sys.argv[1]](*sys.argv[2:])
