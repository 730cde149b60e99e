"""An ONNX model as a plain function: features in, one number out.

Its input is one matrix of floats, a column for each feature in the order of the topology. Its answer is the
last number of an output: of a classifier's probabilities that of the last class. It runs on one thread of the
CPU, with the optimisations that keep its arithmetic, so that machines agree as far as their arithmetic does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from processor.language.models import ModelError

__all__ = ["onnx_model"]

_FLOATS: Final = {"tensor(float)": "float32", "tensor(double)": "float64"}
_INSTALL: Final = "onnxruntime is not installed: run pip install 'trayecto[onnx]'"


def onnx_model(data: bytes, names: tuple[str, ...], output: str) -> Callable[[dict[str, float | None]], Any]:
    """Return the model in ``data`` as a function of the named features.

    Raises:
        ModelError: onnxruntime is missing, or the model does not take so many numbers, or gives no number.
    """
    try:
        import numpy  # noqa: ICN001, PLC0415  it comes with onnxruntime, which is optional
        import onnxruntime  # noqa: PLC0415
    except ImportError:
        raise ModelError(_INSTALL) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.use_deterministic_compute = True
    options.log_severity_level = 3  # errors come as exceptions
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"onnxruntime does not load it ({error}): export it again") from error
    given, kind = _input(session, len(names))
    wanted = _output(session, output)
    dtype = numpy.dtype(_FLOATS[kind])

    def fn(features: dict[str, float | None]) -> float:
        row = [math.nan if features[name] is None else features[name] for name in names]
        (found,) = session.run([wanted], {given: numpy.array([row], dtype)})
        return float(numpy.asarray(found).reshape(-1)[-1])

    return fn


def _input(session: Any, features: int) -> tuple[str, str]:
    """The name and the type of the model's only input."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _FLOATS:
        kinds = ", ".join(f"{one.name} {one.type}" for one in inputs) or "nothing"
        raise ModelError(f"its inputs are {kinds}: export it with one matrix of floats")
    columns = inputs[0].shape[-1] if inputs[0].shape else None
    if isinstance(columns, int) and columns != features:
        raise ModelError(f"it takes {columns} features, here are {features}: write as many, in its order")
    return inputs[0].name, inputs[0].type


def _output(session: Any, name: str) -> str:
    """The output that holds the answer."""
    outputs = session.get_outputs()
    names = [one.name for one in outputs]
    if name and name not in names:
        raise ModelError(f"it has no output {name}: write one of {', '.join(names)}")
    wanted = name or names[-1]
    kind: str = next(one.type for one in outputs if one.name == wanted)
    if not kind.startswith("tensor("):
        raise ModelError(f"its output {wanted} is {kind}: export it without a map of classes (zipmap)")
    return wanted
