import pytest
import torch
from transformers import (
    HubertConfig,
    HubertForCTC,
    UniSpeechConfig,
    UniSpeechForCTC,
    UniSpeechForPreTraining,
    UniSpeechModel,
    Wav2Vec2Config,
    Wav2Vec2ForCTC,
    Wav2Vec2ForPreTraining,
)

from unispeech_cli.interop.names import from_transformers, to_transformers

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "num_codevectors_per_group": 5,
    "codevector_dim": 6,
    "proj_codevector_dim": 10,
    "vocab_size": 7,
}
# 2 groups x 5 entries x 3
CODEBOOK = torch.arange(30.0).reshape(1, 10, 3)
EVERY = [
    (UniSpeechForCTC, UniSpeechConfig),
    (UniSpeechForPreTraining, UniSpeechConfig),
    (Wav2Vec2ForCTC, Wav2Vec2Config),
    (Wav2Vec2ForPreTraining, Wav2Vec2Config),
    (HubertForCTC, HubertConfig),
]


def weights(model: type, config: type) -> dict[str, torch.Tensor]:
    return dict(model(config(**SMALL)).state_dict())


def is_new(spelling: dict[str, torch.Tensor]) -> bool:
    return any("parametrizations" in name for name in spelling)


@pytest.mark.parametrize(("model", "config"), EVERY)
def test_there_and_back_is_the_same_bit_for_bit(model: type, config: type) -> None:
    theirs = weights(model, config)
    ours = from_transformers(theirs)
    back = to_transformers(ours, config.model_type, is_new(theirs))
    assert back.keys() == theirs.keys()
    assert all(torch.equal(back[name], theirs[name]) for name in theirs)


def test_both_spellings_of_the_weight_norm() -> None:
    theirs = weights(UniSpeechForCTC, UniSpeechConfig)
    ours = from_transformers(theirs)
    for new in (False, True):
        spelled = to_transformers(ours, "unispeech", new)
        assert is_new(spelled) == new
        assert from_transformers(spelled).keys() == ours.keys()
        gain = "parametrizations.weight.original0" if new else "weight_g"
        assert torch.equal(
            spelled[f"unispeech.encoder.pos_conv_embed.conv.{gain}"],
            ours["context.encoder.position.weight_g"],
        )


def test_the_codebook_is_cut_into_its_groups() -> None:
    theirs = weights(Wav2Vec2ForPreTraining, Wav2Vec2Config) | {"quantizer.codevectors": CODEBOOK}
    codebook = from_transformers(theirs)["quantizer.codebook"]
    assert codebook.shape == (2, 5, 3)
    # entry 1 of group 1 is vector 6 of theirs
    assert codebook[1, 1].tolist() == [18.0, 19.0, 20.0]


def test_a_bare_encoder() -> None:
    ours = from_transformers(weights(UniSpeechModel, UniSpeechConfig))
    assert {name.split(".")[0] for name in ours} == {"context"}


def test_what_has_no_place_is_named() -> None:
    theirs = weights(Wav2Vec2ForCTC, Wav2Vec2Config)
    adapter = {"wav2vec2.encoder.layers.0.adapter_layer.norm.weight": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"no network here has: wav2vec2\.encoder\.layers\.0\.adapter_layer"):
        from_transformers(theirs | adapter)
    folded = {"wav2vec2.encoder.pos_conv_embed.conv.weight": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"pos_conv_embed\.conv\.weight"):
        from_transformers(theirs | folded)


def test_a_network_that_the_type_lacks_is_refused() -> None:
    ours = from_transformers(weights(UniSpeechForPreTraining, UniSpeechConfig))
    for kind in ("wav2vec2", "hubert"):
        with pytest.raises(ValueError, match=f"{kind} has no pre-training network"):
            to_transformers(ours, kind, False)
    with pytest.raises(ValueError, match="no model type wavlm"):
        to_transformers(ours, "wavlm", False)


def test_wav2vec2_pretraining_has_no_head() -> None:
    ours = from_transformers(weights(Wav2Vec2ForPreTraining, Wav2Vec2Config))
    head = {"head.weight": torch.zeros(3, 16), "head.bias": torch.zeros(3)}
    assert (
        to_transformers(ours | head, "wav2vec2", False).keys()
        == to_transformers(ours, "wav2vec2", False).keys()
    )
