"""A restricted unpickler: weights and plain values come out of a pickle, and nothing in it is run.

Every name that a pickle can ask for is answered from the lists below, by things that do nothing; any other name
ends the reading. So even a pickle that asks for a name on the lists, with arguments of its own, runs nothing.
"""

import pickle
from typing import IO, Any

from unispeech_cli.interop.inert import ForbiddenName, Mapping, StoredTensor, stub_class

# what torch calls storages, and the dtypes they hold
STORAGES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
# objects of these modules, and of those below them, are kept as stubs
_STUBBED = ("argparse", "omegaconf", "fairseq", "fairseq_cli", "examples", "enum", "typing", "pathlib")
_STUBBED_NAMES = {
    *(
        ("builtins", name)
        for name in "getattr object bool int long float complex str unicode bytes list dict tuple".split()
    ),
    *(("numpy", name) for name in ("dtype", "ndarray", "float64", "int64")),
    *(
        (f"numpy.{room}.multiarray", name)
        for room in ("core", "_core")
        for name in ("scalar", "_reconstruct")
    ),
    ("_codecs", "encode"),
    ("_operator", "getitem"),
    ("operator", "getitem"),
    ("torch", "device"),
    *(("torch", kind) for kind in STORAGES.values()),
    ("torch.serialization", "_get_layout"),
}


class _Call:
    """A call that a pickle may make; a pickle can neither change it nor look into it."""

    __slots__ = ("_function",)

    def __init__(self, function: Any) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a state for a function")


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: IO[bytes], kinds: dict[str, str]) -> None:
        super().__init__(stream, encoding="latin1")
        self._kinds = kinds

    def find_class(self, module: str, name: str) -> Any:
        module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(module, module)
        if module in ("torch", "torch.storage") and name in STORAGES:
            return STORAGES[name]
        if (module, name) in _CALLS:
            return _Call(_CALLS[module, name])
        if (module, name) in _STUBBED_NAMES or module.split(".")[0] in _STUBBED:
            return stub_class(module, name)
        raise ForbiddenName(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        if not isinstance(pid, tuple) or pid[0] != "storage" or pid[1] not in STORAGES.values():
            raise pickle.UnpicklingError("an unknown kind of reference")
        self._kinds[str(pid[2])] = pid[1]
        return _Storage(str(pid[2]), pid[1], _view(pid))


class _Storage:
    """Which of the file's storages is meant, and how far into it a view of it begins."""

    __slots__ = ("key", "kind", "start")

    def __init__(self, key: str, kind: str, start: int) -> None:
        self.key, self.kind, self.start = key, kind, start

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a state for a storage")


def unpickle(stream: IO[bytes], kinds: dict[str, str] | None = None) -> Any:
    """The next value of a stream of pickles; tensors in it are `StoredTensor`, strange objects `Stub`.

    `kinds` is filled with the dtype of each storage that it speaks of. Raises `ForbiddenName`, and
    `pickle.UnpicklingError` for whatever else is wrong with it.
    """
    try:
        return _Unpickler(stream, {} if kinds is None else kinds).load()
    except (ForbiddenName, pickle.UnpicklingError):
        raise
    # a damaged pickle raises whatever its wrong bytes lead to
    except Exception as error:
        raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from None


def _view(pid: tuple[Any, ...]) -> int:
    view = pid[5] if len(pid) > 5 else None
    return int(view[1]) if view else 0


def _tensor(storage: _Storage, offset: int, shape: Any, stride: Any, *_: Any) -> StoredTensor:
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    sizes, steps = tuple(map(int, shape)), tuple(map(int, stride))
    return StoredTensor(storage.key, storage.kind, storage.start + int(offset), sizes, steps)


def _mapping(*arguments: Any) -> Mapping:
    # defaultdict comes with what makes its defaults, OrderedDict of Python 2 with its items
    return Mapping(arguments[0]) if arguments and isinstance(arguments[0], list | dict) else Mapping()


def _set(items: Any = ()) -> list[Any]:
    return list(items)


def _first(value: Any, *_: Any) -> Any:
    return value


_CALLS: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch._utils", "_rebuild_parameter_with_state"): _first,
    ("torch", "Size"): tuple,
    ("collections", "OrderedDict"): _mapping,
    ("collections", "defaultdict"): _mapping,
    ("collections", "Counter"): _mapping,
    ("builtins", "set"): _set,
    ("builtins", "frozenset"): _set,
}
