import torch

from unispeech_cli.batches.batch import Example, collate


def test_padding_is_zero_and_lengths_are_true() -> None:
    tokens = torch.tensor([3, 1, 3])
    batch = collate(
        [
            Example("short", "es", torch.full((4,), 0.5), tokens),
            Example("long", "ky", torch.full((6,), -0.5), None),
        ]
    )
    assert batch.wave_BS.tolist() == [[0.5] * 4 + [0.0] * 2, [-0.5] * 6]
    assert batch.wave_lengths_B.tolist() == [4, 6]
    assert batch.token_BL.tolist() == [[3, 1, 3], [0, 0, 0]]
    assert batch.token_lengths_B.tolist() == [3, 0]
    assert batch.labelled_B.tolist() == [True, False]
    assert (batch.languages, batch.cut_ids) == (("es", "ky"), ("short", "long"))


def test_nothing_labelled_has_no_token_columns() -> None:
    batch = collate([Example("x", "", torch.zeros(5), None)])
    assert batch.token_BL.shape == (1, 0)
    assert batch.token_BL.dtype == torch.long


def test_seconds_are_of_speech_and_of_what_the_model_works_through() -> None:
    batch = collate([Example(str(n), "", torch.zeros(n), None) for n in (16_000, 8_000)])
    assert (batch.seconds, batch.padded_seconds) == (1.5, 2.0)


def test_to_moves_every_tensor() -> None:
    batch = collate([Example("x", "es", torch.zeros(5), torch.tensor([1]))]).to("meta")
    tensors = [value for value in vars(batch).values() if isinstance(value, torch.Tensor)]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert (len(tensors), batch.cut_ids) == (5, ("x",))


def test_rows_are_a_batch_of_their_own() -> None:
    examples = [
        Example(str(n), "es", torch.full((n,), float(n)), torch.ones(n, dtype=torch.long)) for n in (4, 2, 3)
    ]
    batch = collate(examples).seeded(1, 2)
    part = batch.rows(1, 3)
    assert part.wave_BS.tolist() == [[2, 2, 0], [3, 3, 3]] and part.token_BL.tolist() == [
        [1, 1, 0],
        [1, 1, 1],
    ]
    assert (part.cut_ids, part.seeds) == (("2", "3"), batch.seeds[1:])
    assert batch.seeds == collate(examples[:2]).seeded(1, 2).seeds + batch.seeds[2:]
    assert len({*batch.seeds, *batch.seeded(1, 3).seeds, *batch.seeded(2, 2).seeds}) == 9
