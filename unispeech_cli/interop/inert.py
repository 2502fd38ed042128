"""Values that stood in a stranger's pickle: what they were is kept, nothing of it is run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class ForbiddenName(Exception):
    """A pickle asks for a name, or a call, that is no part of weights."""


class Stub:
    """An object of a class that is not here: its arguments, attributes and items, which do nothing."""

    name = ""
    _arguments: tuple[Any, ...]
    _state: dict[str, Any]
    _items: list[Any]

    def __new__(cls, *arguments: Any, **_: Any) -> "Stub":
        stub = super().__new__(cls)
        stub.__dict__.update(_arguments=arguments, _state={}, _items=[])
        return stub

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        # with slots: (attributes, slots)
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self._state.update(part)

    def __call__(self, *_: Any) -> None:
        raise ForbiddenName(f"a call of what {self.name} gives")

    def __setitem__(self, key: Any, value: Any) -> None:
        self._items.append((key, value))

    def append(self, value: Any) -> None:
        self._items.append(value)

    def extend(self, values: Sequence[Any]) -> None:
        self._items.extend(values)


def stub_class(module: str, name: str) -> type[Stub]:
    """A class that stands for `module.name`."""
    return type(name, (Stub,), {"name": f"{module}.{name}"})


class Mapping(dict[Any, Any]):
    """A dictionary, whatever kind it was; attributes that the pickle gives it are dropped."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        pass


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that has not been read: where its elements lie in one of the file's storages."""

    key: str
    kind: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def __setstate__(self, state: Any) -> None:
        pass


def plain(value: Any) -> Any:
    """Dictionaries, lists and scalars of stored values; objects become dictionaries of their attributes.

    omegaconf's containers become what they contain, enum members the value or name that was stored. What is
    found again inside itself, as parents are, becomes None, and so do tensors.
    """
    return _plain(value, {})


def _plain(value: Any, known: dict[int, Any]) -> Any:
    if isinstance(value, str | int | float | bool | None):
        return value
    # each once: a small pickle can name one list in itself so often that a tree of it would fill the memory
    if id(value) not in known:
        known[id(value)] = None
        known[id(value)] = _opened(value, known)
    return known[id(value)]


def _opened(value: Any, known: dict[int, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, known) for item in value]
    return _plain(_content(value), known) if isinstance(value, Stub) else None


def _content(stub: Stub) -> Any:
    state = stub._state
    if stub.name.startswith("omegaconf."):
        return state.get("_content", state.get("_val"))
    if state:
        return state
    # an enum member is its class called with the value, or getattr of class and name
    return stub._arguments[-1] if stub._arguments else None
