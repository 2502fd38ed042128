import argparse
import collections
import io
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from unispeech_cli.interop.inert import ForbiddenName, Stub, plain
from unispeech_cli.interop.torchfile import open_torch_file
from unispeech_cli.interop.unpickle import unpickle


class Runs:
    """Pickled, a call of any function with any arguments."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.call = (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.call


def read(value: Any, protocol: int = 2) -> Any:
    return unpickle(io.BytesIO(pickle.dumps(value, protocol)))


# the two forms of torch.save
FORMS = pytest.mark.parametrize("zipped", [True, False])


@FORMS
def test_tensors_come_back_bit_by_bit(tmp_path: Path, zipped: bool) -> None:
    shared = torch.arange(24.0).reshape(4, 6)
    weights = {
        "whole": shared,
        "part": shared[1:3, 2:5],
        "transposed": shared.t(),
        "half": torch.randn(3).half(),
        "bfloat": torch.randn(3).bfloat16(),
        "double": torch.randn(2, 0, 3).double(),
        "count": torch.tensor(7),
        "flags": torch.tensor([True, False]),
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
    }
    torch.save(weights, tmp_path / "w", _use_new_zipfile_serialization=zipped)
    opened = open_torch_file(tmp_path / "w")
    found = opened.tensors(opened.root)
    assert list(found) == list(weights)
    for name, value in weights.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
        assert found[name].equal(value.detach())


@FORMS
def test_a_state_dict_of_a_module_and_values_beside_it(tmp_path: Path, zipped: bool) -> None:
    module = torch.nn.Linear(2, 3)
    saved = {
        "model": module.state_dict(),
        "args": argparse.Namespace(layers=3, path=Path("x")),
        "n": [1, {2}],
    }
    torch.save(saved, tmp_path / "w", _use_new_zipfile_serialization=zipped)
    opened = open_torch_file(tmp_path / "w")
    assert opened.tensors(opened.root["model"])["bias"].equal(module.bias.detach())
    assert plain(opened.root)["n"] == [1, [2]]
    assert plain(opened.root)["args"]["layers"] == 3


def test_older_kinds_of_dictionaries() -> None:
    for value in (collections.OrderedDict(a=1), collections.defaultdict(int, a=1), collections.Counter("a")):
        for protocol in (2, 4, 5):
            assert read(value, protocol) == {"a": 1}


def test_what_is_found_in_itself_ends_there() -> None:
    node = argparse.Namespace(value=1)
    node.parent = argparse.Namespace(child=node)
    assert plain(read(node)) == {"value": 1, "parent": {"child": None}}
    doubled: list[Any] = []
    for _ in range(100):
        doubled = [doubled, doubled]
    assert len(plain(read(doubled))) == 2


@pytest.mark.parametrize(
    "function",
    [
        "builtins.eval", "builtins.exec", "builtins.__import__", "os.system", "posix.system", "nt.system",
        "subprocess.Popen", "torch.load", "torch.hub.load", "torch._utils.os.system", "torch.serialization.load",
        "torch.nn.Module", "collections.namedtuple", "numpy.load", "pickle.loads", "runpy.run_path",
        "argparsed.Namespace", "unispeech_cli.atomic.write_text", "copyreg._reconstructor",
    ],
)  # fmt: skip
def test_names_that_are_no_part_of_weights_end_the_reading(function: str) -> None:
    module, _, name = function.rpartition(".")
    for code in (f"c{module}\n{name}\n(S'touch x'\ntR.", f"(S'touch x'\ni{module}\n{name}\n."):
        with pytest.raises(ForbiddenName, match=function.replace(".", r"\.")):
            unpickle(io.BytesIO(code.encode()))


def test_a_payload_is_not_run(tmp_path: Path) -> None:
    touched, path = tmp_path / "touched", tmp_path / "evil.pt"
    for payload in (
        Runs(Path.touch, touched),
        Runs(eval, f"Path({str(touched)!r})"),
        Runs(os.mkdir, str(touched)),
    ):
        for zipped in (True, False):
            torch.save({"model": {}, "args": payload}, path, _use_new_zipfile_serialization=zipped)
            with pytest.raises(ValueError, match=r"evil\.pt asks for .+; nothing of it was run"):
                open_torch_file(path)
            assert not touched.exists()
    # it would have: the pickle is a real one
    torch.load(path, **({} if torch.__version__ < "2" else {"weights_only": False}))
    assert touched.exists()


def test_names_that_are_read_do_nothing_whatever_they_are_given(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    namespace = pickle.loads(b"cargparse\nNamespace\n.")
    evil = Runs(namespace, Runs(torch._utils._rebuild_tensor_v2, touched, 0, (), ()))
    with pytest.raises(pickle.UnpicklingError, match="without a storage"):
        read(evil)
    found = read(
        {"a": Runs(getattr, Path, "touch"), "b": Runs(Path, str(touched)), "c": Runs(torch.Size, (2,))}
    )
    assert isinstance(found["b"], Stub) and plain(found)["c"] == [2]


def test_functions_of_ours_cannot_be_changed_by_a_state() -> None:
    # the function itself, given a state: protocol 2's BUILD would set its attributes
    for name in ("torch._utils\n_rebuild_tensor_v2", "collections\nOrderedDict", "argparse\nNamespace"):
        with pytest.raises(pickle.UnpicklingError):
            unpickle(io.BytesIO(f"c{name}\n(N(S'__call__'\nI1\ndtb.".encode()))


def test_strides_of_nothing_do_not_make_memory(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1).expand(2)}, tmp_path / "w")
    opened = open_torch_file(tmp_path / "w")
    with pytest.raises(ValueError, match="w does not lie in it"):
        opened.tensors(opened.root)


@FORMS
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_one_line(tmp_path: Path, zipped: bool, share: float) -> None:
    path = tmp_path / "w.bin"
    torch.save({"w": torch.randn(500)}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"w\.bin is damaged or not a file of torch\.save \(.+\)$"):
        open_torch_file(path)


def test_damage_anywhere_is_an_error_of_ours_or_none(tmp_path: Path) -> None:
    path, generator = tmp_path / "w", torch.Generator().manual_seed(1)
    torch.save(
        {"w": torch.randn(3), "args": argparse.Namespace(a=1)}, path, _use_new_zipfile_serialization=False
    )
    whole = path.read_bytes()
    for _ in range(100):
        data = bytearray(whole)
        where, value = torch.randint(0, 256 * len(data), (1,), generator=generator).item() // 256, 0
        value = int(torch.randint(0, 256, (1,), generator=generator))
        data[int(where)] = value
        path.write_bytes(data)
        try:
            opened = open_torch_file(path)
            plain(opened.root)
            opened.tensors(opened.root)
        except ValueError as error:
            assert "\n" not in str(error)
