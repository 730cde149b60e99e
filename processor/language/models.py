"""Models from outside: a Python callable, or an ONNX file, as a plain function of features by name.

Python is named as ``package.module:function``. A file of that name in the topology's folder is taken first,
else whatever Python can import. An ONNX file is named by its path in the folder, and needs onnxruntime
(``pip install trayecto[onnx]``), which nothing else does.

What a model was loaded from is hashed: its module's file or its ONNX file, and the files named beside it. The
hash goes on the record of every evaluation, so that a replay shows whether it was made with another model.
What a module imports is not in it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import msgspec

__all__ = ["Loaded", "ModelError", "load_model", "tried"]

BYTES_MAX: Final = 200_000_000  # of a model's file
_DIGITS: Final = 16

ModelFn = Callable[[dict[str, float | None]], Any]


class ModelError(ValueError):
    """A model cannot be used; the text says "what is wrong: what to do"."""


class Loaded(msgspec.Struct, frozen=True):
    """A model as a function, and what it was loaded from: ``onnx:`` or ``python:`` and a hash."""

    fn: ModelFn
    identity: str


def load_model(
    folder: Path, text: str, names: tuple[str, ...], files: tuple[str, ...], output: str
) -> Loaded:
    """Return the model that ``text`` names.

    ``names`` are the features in their order, ``files`` are hashed beside the model, ``output`` is that of an
    ONNX model ("": its last).

    Raises:
        ModelError: it is not there, cannot be loaded, or does not take these features.
    """
    beside = [_bytes(folder, file) for file in files]
    if text.endswith(".onnx"):
        from processor.language.onnx_models import onnx_model  # noqa: PLC0415  an optional dependency

        data = _bytes(folder, text)
        return Loaded(onnx_model(data, names, output), _identity("onnx", [data, *beside]))
    if output:
        raise ModelError("only an ONNX file has outputs to choose from: take output away")
    module_name, colon, function = text.partition(":")
    if (
        not colon
        or not function.isidentifier()
        or not all(part.isidentifier() for part in module_name.split("."))
    ):
        raise ModelError("it names no model: write package.module:function, or the path of an .onnx file")
    module = _module(folder, module_name)
    fn = getattr(module, function, None)
    if not callable(fn):
        raise ModelError(f"{module_name} has no function {function}: define it, or name another")
    source = getattr(module, "__file__", None)
    own = Path(source).read_bytes() if source else module_name.encode()
    return Loaded(fn, _identity("python", [own, *beside]))


def tried(fn: ModelFn, names: tuple[str, ...]) -> str:
    """Ask the model with all features 0 and with all 1, twice each. Returns what is wrong with it, or "".

    Raises:
        ModelError: no answer was a number, or two answers to the same were not the same.
    """
    error: Exception | None = None
    answers = 0
    for value in (0.0, 1.0):
        try:
            first, second = (fn(dict.fromkeys(names, value)) for _ in range(2))
        except Exception as raised:  # noqa: BLE001 - a model may raise anything
            error = raised
            continue
        if isinstance(first, bool) or not isinstance(first, (int, float)):
            raise ModelError(f"its answer is {type(first).__name__}, not a number: return an int or a float")
        if first != second and not (first != first and second != second):  # noqa: PLR0124 - not a number
            raise ModelError("asked twice the same, it gave two answers: take chance and the clock out of it")
        answers += 1
    if not answers:
        kind = type(error).__name__
        raise ModelError(f"it raises {kind} ({error}): mend it, or the names of its features")
    return "" if error is None else type(error).__name__


def _module(folder: Path, name: str) -> ModuleType:
    path = folder.joinpath(*name.split(".")).with_suffix(".py")
    try:
        if not path.is_file():
            return importlib.import_module(name)
        # Named after where it lies: two topologies may both have a churn.py.
        inner = f"trayecto_models_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:_DIGITS]}"
        spec = importlib.util.spec_from_file_location(inner, path)
        assert spec is not None, "a file that ends in .py has a loader"
        assert spec.loader is not None, "a file that ends in .py has a loader"
        module = importlib.util.module_from_spec(spec)
        sys.modules[inner] = module  # dataclasses and pickles look their module up
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        where = f"put {path.relative_to(folder)} into the topology, or install it"
        raise ModelError(f"there is no module {error.name}: {where}") from None
    except Exception as error:
        raise ModelError(f"{name} raises {type(error).__name__} ({error}) on import: mend it") from error
    return module


def _bytes(folder: Path, file: str) -> bytes:
    """Return a file of the topology; nothing outside of its folder is read."""
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ModelError(f"{file} is outside of the topology's folder: put it inside")
    try:
        if path.stat().st_size > BYTES_MAX:
            raise ModelError(f"{file} has more than {BYTES_MAX:,} bytes: make it smaller")
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "it cannot be opened").lower()
        raise ModelError(f"{file} cannot be read ({reason}): put it into the topology's folder") from None


def _identity(kind: str, parts: list[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return f"{kind}:{digest.hexdigest()[:_DIGITS]}"
