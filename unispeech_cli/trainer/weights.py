"""Weights for others to use: the checkpoint that a path means, a recogniser of it, an encoder to start from."""

from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.model.unispeech import UniSpeech, UniSpeechSettings
from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.settings import build
from unispeech_cli.trainer.checkpoint import latest, read_weights

# of a model's settings, those that every model with a context network has
CONTEXT_PARTS = ("frontend", "encoder", "input_dropout")


def find(path: Path) -> CheckpointDir:
    """The checkpoint that a path means: itself, or the best (else the newest) of an experiment directory.

    Raises FileNotFoundError when there is none.
    """
    experiment = ExpDir(path)
    for place in (CheckpointDir(path), experiment.best, latest(experiment)):
        if place is not None and place.weights.is_file():
            _check_ours(place)
            return place
    raise FileNotFoundError(
        f"{path} holds no checkpoint (no model.safetensors, best/ or checkpoint-<update>/)"
    )


def _check_ours(place: CheckpointDir) -> None:
    """Others call their weights the same."""
    if not place.settings.is_file() and not place.checksums.is_file():
        raise ValueError(
            f"{place.root} is not a checkpoint of ours (no {place.settings.name}); if it is a directory of "
            "transformers, unispeech import makes one of it"
        )


def load_recognizer(path: Path, device: str = "cpu") -> tuple[Recognizer, TokenTable]:
    """The recogniser of an experiment or checkpoint directory, ready to decode; also of a pre-training one.

    Raises FileNotFoundError when there is no checkpoint, ValueError when it is damaged, has no tokens, as imported
    encoders have none, or the device is not there.
    """
    place = find(path)
    tokens = read_tokens(place.tokens)
    if len(tokens) == 1:
        raise ValueError(
            f"{place.root} is an encoder without tokens and cannot recognise: unispeech finetune --init {place.root}"
        )
    parts = saved_model_settings(place)
    known: dict[str, Any] = {name: parts[name] for name in CONTEXT_PARTS if name in parts}
    model = Recognizer(build(RecognizerSettings, known), len(tokens))
    weights = read_weights(place)
    model.load_state_dict({name: weights[name] for name in model.state_dict()})
    return model.to(usable_device(device)).eval(), tokens


def load_unispeech(path: Path, device: str = "cpu") -> UniSpeech:
    """The pre-training network of an experiment or checkpoint directory, with its codebook, for evaluation.

    Raises FileNotFoundError when there is no checkpoint, ValueError when it is damaged, has no codebook, or the
    device is not there.
    """
    place = find(path)
    weights = read_weights(place)
    if "quantizer.codebook" not in weights:
        raise ValueError(
            f"{place.root} has no codebook: it is a fine-tuned model, or was pre-trained without model.quantizer"
        )
    settings = build(UniSpeechSettings, saved_model_settings(place))
    model = UniSpeech(settings, len(read_tokens(place.tokens)))
    # an imported encoder has no head
    model.load_state_dict({**model.head.state_dict(prefix="head."), **weights})
    return model.to(usable_device(device)).eval()


def load_weights(model: nn.Module, place: CheckpointDir, tokens: TokenTable | None) -> list[str]:
    """Take over the weights of a checkpoint that the model has, and return lines on what was not taken.

    A CTC head over other tokens stays new, and with `tokens` None any. Raises ValueError when the context network
    is of another shape.
    """
    weights, own = read_weights(place), model.state_dict()
    if tokens is None or read_tokens(place.tokens).difference(tokens):
        weights = {name: value for name, value in weights.items() if not name.startswith("head.")}
    fitting = {name: value for name, value in weights.items() if _fits(value, own.get(name))}
    wrong = [name for name in own if name.startswith("context.") and name not in fitting]
    if wrong:
        found = tuple(weights[wrong[0]].shape) if wrong[0] in weights else "absent"
        raise ValueError(
            f"{place.root}: {wrong[0]} is {found}, not {tuple(own[wrong[0]].shape)}; "
            "use the settings that it was made with"
        )
    model.load_state_dict(fitting, strict=False)
    new = sorted({name.split(".")[0] for name in own if name not in fitting})
    unused = sorted({name.split(".")[0] for name in weights if name not in own})
    lines = [f"initialised from {place.root}" + (f"; new: {', '.join(new)}" if new else "")]
    return lines + ([f"left behind: {', '.join(unused)}"] if unused else [])


def _fits(value: Tensor, own: Tensor | None) -> bool:
    return own is not None and own.shape == value.shape


def saved_model_settings(place: CheckpointDir) -> dict[str, Any]:
    """The `model` part of the settings that a checkpoint was trained with."""
    settings = yaml.safe_load(place.settings.read_text(encoding="utf-8"))
    return dict(settings["model"])


def usable_device(name: str) -> torch.device:
    """A device by name. Raises ValueError when this machine or this torch lacks it."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {name} does not work here: {str(error).splitlines()[0]}") from None
    return device
