"""Checkpoints of fairseq (.pt): wav2vec 2.0, HuBERT, the released UniSpeech -> a model of ours, without fairseq."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from unispeech_cli.interop.fairseq_config import check_options, is_transposed, model_settings, options
from unispeech_cli.interop.fairseq_names import from_fairseq
from unispeech_cli.interop.imported import Imported, Origin, outputs, without_head
from unispeech_cli.interop.inert import plain
from unispeech_cli.interop.torchfile import TorchFile, open_torch_file
from unispeech_cli.interop.vocabulary import Vocabulary, fairseq_symbols, fairseq_vocabulary

# parts of pre-training that fine-tuned models carry along, and HuBERT's own
_LEFT = ("quantizer.", "project_q.", "final_proj.", "label_embs_concat")
_TYPES = {"wav2vec_ctc": "wav2vec2", "hubert_ctc": "hubert"}


def read_fairseq(path: Path, dictionary: Path | None, encoder_only: bool) -> Imported:
    """The model of a .pt file; `dictionary` is its dict.txt or JSON, where the file itself has none.

    Raises ValueError in one line where it is damaged, is no network that is known here, or has outputs whose
    symbols are not known; FileNotFoundError for missing files.
    """
    opened = open_torch_file(path)
    try:
        root = _root(opened)
        own, encoder = options(root)
        check_options(own, encoder)
        stored, notes = _kept(opened.tensors(opened.root["model"]), str(own["_name"]))
        weights = from_fairseq(stored, is_transposed(own, encoder))
        settings = model_settings(own, encoder, weights)
    except TypeError as error:
        raise ValueError(f"{path} has an option of another kind than it should: {error}") from None
    except ValueError as error:
        message = str(error)
        raise ValueError(message if str(path) in message else f"{path}: {message}") from None
    except KeyError as error:
        raise ValueError(f"{path}: no weight {error} in it, which every such network has") from None
    if encoder_only:
        weights = without_head(weights)
    vocabulary = _vocabulary(path, root, dictionary, outputs(weights))
    if outputs(weights) and vocabulary is None and "quantizer.codebook" not in weights:
        raise ValueError(
            f"{path} has no dictionary for its {outputs(weights)} outputs: give it with --dict, or take the encoder "
            "alone with --encoder-only"
        )
    kind = str(own["_name"])
    tokenizer = {dictionary.name: dictionary.read_text(encoding="utf-8")} if dictionary else None
    origin = Origin("fairseq", _TYPES.get(kind, kind), kind, config=own, tokenizer=tokenizer)
    return Imported(weights, settings, vocabulary, origin, tuple(notes))


def _root(opened: TorchFile) -> Mapping[str, Any]:
    if not isinstance(opened.root, dict) or "model" not in opened.root:
        raise ValueError("no model in it: not a checkpoint of fairseq")
    parts = {name: value for name, value in opened.root.items() if name in ("cfg", "args", "task_state")}
    found = plain(parts)
    assert isinstance(found, dict)
    return found


def _kept(weights: Mapping[str, Tensor], kind: str) -> tuple[dict[str, Tensor], list[str]]:
    """Without what only pre-training needs, where the network is a recogniser or HuBERT."""
    if not kind.endswith("_ctc") and kind != "hubert":
        return dict(weights), []
    left = [name for name in weights if any(part in name for part in _LEFT)]
    notes = [f"left behind: {', '.join(left[:4])}" + (" ..." if len(left) > 4 else "")] if left else []
    return {name: value for name, value in weights.items() if name not in left}, notes


def _vocabulary(
    path: Path, root: Mapping[str, Any], dictionary: Path | None, number: int
) -> Vocabulary | None:
    if not number:
        return None
    if dictionary is not None:
        return fairseq_vocabulary(dictionary, number)
    stored = (root.get("task_state") or {}).get("target_dictionary")
    if not isinstance(stored, dict) or not stored.get("symbols"):
        return None
    return fairseq_symbols([str(symbol) for symbol in stored["symbols"]], number, path)
