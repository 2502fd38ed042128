"""Directories of transformers: config.json, weights, tokenizer -> a model of ours, without transformers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from unispeech_cli.interop.imported import Imported, Origin, outputs, without_head
from unispeech_cli.interop.names import from_transformers
from unispeech_cli.interop.torchfile import open_torch_file
from unispeech_cli.interop.transformers_config import check_config, model_settings
from unispeech_cli.interop.vocabulary import TOKENIZER_FILES, Vocabulary, hub_vocabulary
from unispeech_cli.model.recognizer import RecognizerSettings
from unispeech_cli.model.unispeech import UniSpeechSettings

_CONFIG, _PREPROCESSOR = "config.json", "preprocessor_config.json"
# in the order in which transformers looks for them; an index names the files of several
_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def transformers_files(directory: Path) -> list[Path]:
    """All files there that make the model. Raises FileNotFoundError for those that have to be there."""
    if not (directory / _CONFIG).is_file():
        raise FileNotFoundError(f"{directory} holds no {_CONFIG}: not a directory of transformers")
    small = [directory / name for name in (_CONFIG, _PREPROCESSOR, *TOKENIZER_FILES)]
    return [path for path in small if path.is_file()] + _weight_files(directory)


def read_transformers(directory: Path, dictionary: Path | None, encoder_only: bool) -> Imported:
    """The model of a directory; `dictionary` is a vocab.json to take instead of its own.

    Raises ValueError in one line where it is damaged, is no network that is known here, or has outputs whose
    symbols are not known; FileNotFoundError for missing files.
    """
    transformers_files(directory)
    config, preprocessor = _read_json(directory / _CONFIG), _preprocessor(directory)
    weights, settings = _network(directory, config, bool(preprocessor.get("do_normalize", True)))
    if encoder_only:
        weights = without_head(weights)
    files = _tokenizer(directory, dictionary)
    vocabulary, notes = _symbols(directory, files, weights, config.get("pad_token_id"))
    if not preprocessor:
        notes.append(f"no {_PREPROCESSOR}: the waveform is normalised, as is transformers' default")
    origin = Origin(
        "transformers",
        config["model_type"],
        _architecture(config),
        config,
        preprocessor or None,
        files or None,
    )
    return Imported(weights, settings, vocabulary, origin, tuple(notes))


def _architecture(config: Mapping[str, Any]) -> str | None:
    return next(iter(config.get("architectures") or []), None)


def _is_pretraining(weights: Mapping[str, Tensor]) -> bool:
    return "quantizer.codebook" in weights


def _network(
    directory: Path, config: dict[str, Any], normalize_wave: bool
) -> tuple[dict[str, Tensor], UniSpeechSettings | RecognizerSettings]:
    """Weights under our names, and the settings of a model that takes them."""
    try:
        check_config(config)
        weights = from_transformers(_read_weights(directory))
        pretraining = _is_pretraining(weights)
        _check_parts(str(_architecture(config)), outputs(weights), pretraining)
        return weights, model_settings(config, normalize_wave, pretraining)
    except TypeError as error:
        raise ValueError(
            f"{directory / _CONFIG} has a value of another kind than it should: {error}"
        ) from None
    except ValueError as error:
        message = str(error)
        raise ValueError(message if str(directory) in message else f"{directory}: {message}") from None


def _symbols(
    directory: Path, files: Mapping[str, str], weights: Mapping[str, Tensor], pad: int | None
) -> tuple[Vocabulary | None, list[str]]:
    """What the outputs stand for, and lines on it; None where there are none, or pre-training left them unnamed."""
    count = outputs(weights)
    if count and "vocab.json" in files:
        vocabulary = hub_vocabulary(files, count, pad, directory)
        return vocabulary, _blank_notes(vocabulary, pad)
    if count and not _is_pretraining(weights):
        raise ValueError(
            f"{directory} has no vocab.json for its {count} outputs: give it with --dict, or take the "
            "encoder alone with --encoder-only"
        )
    return None, []


def _check_parts(architecture: str, number: int, pretraining: bool) -> None:
    """What the architecture promises has to be there: without it the weights would pass for a bare encoder's."""
    if architecture.endswith("ForCTC") and not number:
        raise ValueError(f"{architecture} without lm_head.weight: a part of the weights is missing")
    if architecture.endswith("ForPreTraining") and not pretraining:
        raise ValueError(f"{architecture} without quantizer.codevectors: a part of the weights is missing")


def _weight_files(directory: Path) -> list[Path]:
    found = next((directory / name for name in _WEIGHTS if (directory / name).is_file()), None)
    if found is None:
        raise FileNotFoundError(f"{directory} holds no weights ({_WEIGHTS[0]} or {_WEIGHTS[2]})")
    return [found, *_shards(found)] if found.suffix == ".json" else [found]


def _shards(index: Path) -> list[Path]:
    names = sorted(set(map(str, _read_json(index).get("weight_map", {}).values())))
    strange = [name for name in names if Path(name).name != name]
    if strange or not names:
        raise ValueError(f"{index}: expected names of files beside it, found {strange[:1] or 'none'}")
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{index} names {missing[0]}, which is not there")
    return [index.parent / name for name in names]


def _read_weights(directory: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for path in _weight_files(directory):
        if path.suffix != ".json":
            weights |= _read_file(path)
    return weights


def _read_file(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".safetensors":
        opened = open_torch_file(path)
        return opened.tensors(opened.root)
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or not safetensors: {error}") from None


def _preprocessor(directory: Path) -> Mapping[str, Any]:
    path = directory / _PREPROCESSOR
    found = _read_json(path) if path.is_file() else {}
    if found.get("sampling_rate", 16_000) != 16_000:
        raise ValueError(f"{path}: speech at {found['sampling_rate']} Hz; models here hear 16000 Hz")
    return found


def _tokenizer(directory: Path, dictionary: Path | None) -> dict[str, str]:
    paths = {name: directory / name for name in TOKENIZER_FILES}
    if dictionary is not None:
        if not dictionary.is_file():
            raise FileNotFoundError(f"no dictionary {dictionary}")
        paths["vocab.json"] = dictionary
    return {name: _text(path) for name, path in paths.items() if path.is_file()}


def _blank_notes(vocabulary: Vocabulary, pad: int | None) -> list[str]:
    if pad is None or pad == vocabulary.blank:
        return []
    return [
        f"warning: blank is output {vocabulary.blank}, the tokenizer's pad_token; {_CONFIG} says {pad}, which is "
        "not used"
    ]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected names and values")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text in UTF-8") from None
