"""CPU runtimes other than PyTorch, each fed from the optimised graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends.onnx.model import build_onnx
from backends.run.targets import Request, Result, Runner, need_cpu, require, without_merging
from compiler.errors import BackendError
from compiler.graph import Graph

_OPENVINO_PRECISION = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}


def run_onnxruntime(request: Request) -> Runner:
    """Run ONNX Runtime's CPU provider in float32.

    Raises:
        BackendError: not installed, or not this device or dtype.
    """
    check_onnxruntime(request.graph, request.device, request.dtype)
    ort = require("onnxruntime", "onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # 3 is "error": warnings about the providers of other machines are no news here.
    options.log_severity_level = 3
    session = ort.InferenceSession(_onnx_bytes(request), options, ["CPUExecutionProvider"])
    names, dtype = [entry.name for entry in session.get_inputs()], request.dtype

    def run(*inputs: Tensor) -> Result:
        feed = {name: x.numpy() for name, x in zip(names, inputs, strict=True)}
        return _result(session.run(None, feed), dtype)

    return run


def check_onnxruntime(graph: Graph, device: torch.device, dtype: torch.dtype) -> None:
    """Refuse what `run_onnxruntime` does, whatever the input sizes."""
    need_cpu(device, "onnxruntime")
    if dtype != torch.float32:
        raise BackendError(f"ONNX Runtime's CPU provider computes float32, not {dtype}")
    require("onnxruntime", "onnxruntime")


def run_openvino(request: Request) -> Runner:
    """Run OpenVINO's CPU plugin, tuned for latency.

    Raises:
        BackendError: not installed, or not this device.
    """
    check_openvino(request.graph, request.device, request.dtype)
    openvino = require("openvino", "openvino")
    core = openvino.Core()
    model = core.read_model(_onnx_bytes(request))
    model.reshape({p: list(x.shape) for p, x in zip(model.inputs, request.inputs, strict=True)})
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": _OPENVINO_PRECISION[request.dtype],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    infer, dtype = core.compile_model(model, "CPU", settings).create_infer_request(), request.dtype

    def run(*inputs: Tensor) -> Result:
        results = infer.infer([np.ascontiguousarray(x.float().numpy()) for x in inputs])
        return _result(list(results.values()), dtype)

    return run


def check_openvino(graph: Graph, device: torch.device, dtype: torch.dtype) -> None:
    """Refuse what `run_openvino` does, whatever the input sizes."""
    need_cpu(device, "openvino")
    if dtype not in _OPENVINO_PRECISION:
        known = ", ".join(str(dtype).removeprefix("torch.") for dtype in _OPENVINO_PRECISION)
        raise BackendError(f"OpenVINO's CPU plugin computes {known}, not {dtype}")
    require("openvino", "openvino")


def _onnx_bytes(request: Request) -> bytes:
    suited = without_merging(request)
    arrays = {name: value.detach().numpy() for name, value in suited.state.items()}
    model: bytes = build_onnx(suited.graph, arrays, flat=True).SerializeToString()
    return model


def _result(arrays: list[Any], dtype: torch.dtype) -> Result:
    tensors = tuple(torch.from_numpy(np.array(a)).to(dtype) for a in arrays)
    return tensors if len(tensors) > 1 else tensors[0]
