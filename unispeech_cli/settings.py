"""Settings: YAML of differences and `--set a.b=c` -> frozen, strict dataclasses; unknown names are errors."""

import dataclasses
import difflib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

Settings = TypeVar("Settings")


def load(
    kind: type[Settings],
    config: Path | None = None,
    overrides: Sequence[str] = (),
    preset: Mapping[str, Any] | None = None,
) -> Settings:
    """Build the settings `kind` from defaults, a preset, a YAML file of differences and `a.b=c` overrides.

    Later sources win. Raises ValueError naming the source, the unknown name and the nearest known one, or the
    value that does not fit; FileNotFoundError when `config` is missing.
    """
    tree: dict[str, Any] = {}
    _merge(tree, preset or {}, kind, "preset")
    if config is not None:
        _merge(tree, _read(config), kind, str(config))
    for override in overrides:
        _merge(tree, _parse_override(override), kind, f"--set {override}")
    return build(kind, tree)


def build(kind: type[Settings], tree: Mapping[str, Any]) -> Settings:
    """Lay a nested mapping over the defaults of `kind` and validate; names are checked as in `load`."""
    # over the whole of them: a part's defaults as `kind` has them may differ from those of the part's class
    whole = dataclasses.asdict(kind())  # type: ignore[call-overload]
    _merge(whole, tree, kind, "settings")
    try:
        return TypeAdapter(kind).validate_python(whole)
    except ValidationError as error:
        raise ValueError(_told(error)) from None


def _told(error: ValidationError) -> str:
    """The first complaint: pydantic's about a value, or what a settings class itself raised."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "value_error":
        return f"setting {where}: {first['ctx']['error']}"
    return f"setting {where}: {first['msg']} (got {first['input']!r})"


def read(kind: type[Settings], path: Path) -> Settings:
    """Read settings that `dump` wrote."""
    return build(kind, _read(path))


def dump(settings: Any) -> str:
    """The resolved whole as YAML, in the order of declaration."""
    plain = TypeAdapter(type(settings)).dump_python(settings, mode="json")
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"no settings file {path}")
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree or {}, Mapping):
        raise ValueError(f"{path} holds a {type(tree).__name__}, expected names and values")
    return tree or {}


def _parse_override(override: str) -> Mapping[str, Any]:
    name, equals, value = override.partition("=")
    if not equals or not name:
        raise ValueError(f"--set {override}: expected name=value, for example optim.lr=3e-4")
    tree: Any = _scalar(value)
    for part in reversed(name.split(".")):
        tree = {part: tree}
    return typing.cast("Mapping[str, Any]", tree)


def _scalar(text: str) -> Any:
    # YAML 1.1 reads 3e-4 as a string: numbers are tried first
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return yaml.safe_load(text)


def _merge(tree: dict[str, Any], more: Mapping[str, Any], kind: type, source: str) -> None:
    _check_names(kind, more, source)
    for name, value in more.items():
        nested = _nested(kind, name)
        if nested is not None and isinstance(value, Mapping) and isinstance(tree.get(name), dict):
            _merge(tree[name], value, nested, source)
        else:
            tree[name] = _copied(value)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copied(inner) for name, inner in value.items()}
    # YAML 1.1 again: 3e-4 in a file arrives as a string
    return _scalar(value) if isinstance(value, str) and _is_number(value) else value


def _is_number(text: str) -> bool:
    return isinstance(_scalar(text), int | float) and not text.strip().isalpha()


def _check_names(kind: type, tree: Mapping[str, Any], source: str, prefix: str = "") -> None:
    known = [field.name for field in dataclasses.fields(kind)]
    for name, value in tree.items():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known: {', '.join(known)}"
            raise ValueError(f"{source}: unknown setting {prefix}{name}; {hint}")
        nested = _nested(kind, name)
        if nested is not None and isinstance(value, Mapping):
            _check_names(nested, value, source, f"{prefix}{name}.")


def _nested(kind: type, name: str) -> type | None:
    hint = typing.get_type_hints(kind)[name]
    choices = [hint, *typing.get_args(hint)]
    return next((c for c in choices if isinstance(c, type) and dataclasses.is_dataclass(c)), None)
