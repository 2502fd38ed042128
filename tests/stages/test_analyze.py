import json
from pathlib import Path
from typing import Any

import pytest
from lhotse import CutSet

from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.paths import AnalysisDir, CheckpointDir, LangDir
from unispeech_cli.records import Note, Table
from unispeech_cli.scorer.bootstrap import BootstrapSettings
from unispeech_cli.stages.analyze import AnalyzeSettings, analyze
from unispeech_cli.stages.finetune import FinetuneInputs, finetune
from unispeech_cli.stages.pretrain import PretrainInputs, pretrain
from unispeech_cli.trainer.checkpoint import Identity, read_weights, save_imported
from unispeech_cli.trainer.weights import find

SETTINGS = AnalyzeSettings(bootstrap=BootstrapSettings(replications=20))


@pytest.fixture(scope="module")
def trained(corpus: Any, minute: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A recogniser that knows the tones, and encoders without any CTC, and without any codebook."""
    root = tmp_path_factory.mktemp("trained")
    made = {name: root / name for name in ("ctc", "contrastive", "recognizer")}
    inputs = PretrainInputs([corpus.train], [corpus.unlabelled], [corpus.dev])
    few = [*minute, "run.updates=3", "model.quantizer.groups=3", "model.quantizer.dim=24"]
    list(pretrain(made["contrastive"], corpus.lang_dir, inputs, overrides=[*few, "objective.alpha=0"]))
    plain = [*minute, "run.updates=2", "objective.alpha=1", "replace.r=0", "model.quantizer=null"]
    list(
        pretrain(
            made["ctc"], corpus.lang_dir, PretrainInputs([corpus.train], [], [corpus.dev]), overrides=plain
        )
    )
    heard = FinetuneInputs([corpus.train], [corpus.dev])
    longer = [*minute, "run.updates=20", "run.save_every=20", "optim.lr=5e-3"]
    list(finetune(made["recognizer"], corpus.lang_dir, heard, overrides=longer))
    return made


def said(exp: Path, cuts: list[Path], out: Path, **options: Any) -> tuple[list[str], list[Table]]:
    records = list(analyze(exp, cuts, out, **{"settings": SETTINGS, **options}))
    return [one.text for one in records if isinstance(one, Note)], [
        one for one in records if isinstance(one, Table)
    ]


def test_a_codebook_without_ctc_is_measured_against_the_phones_of_another_model(
    corpus: Any, trained: dict[str, Path], tmp_path: Path, tones: Any
) -> None:
    italian = tones(tmp_path / "cv-it_cuts_dev.jsonl.gz", ["a e i", "o a"], language="it")
    out, cuts = tmp_path / "codes", [corpus.dev, italian]
    notes, tables = said(trained["contrastive"], cuts, out, alignment_from=[trained["recognizer"]])
    told = f"phones of 6 cuts by {trained['recognizer'] / 'best'}, whose PER there is"
    assert any(note.startswith(told) for note in notes)
    found = json.loads(AnalysisDir(out).analysis.read_text())
    assert [row["group"] for row in found["groups"]] == [0, 1, 2, "all"]
    for row in found["groups"]:
        assert row["pnmi_interval"][0] <= row["pnmi"] <= row["pnmi_interval"][1]
        assert 0 < row["pnmi"] <= 1 and 0 < row["phone_purity"] <= 1 and 0 < row["code_purity"] <= 1
        assert row["drawn"] == {"over": "utterances", "size": 6}
        assert 1 <= row["perplexity"] <= row["codes_used"]
    # all groups together say at least what one of them does
    assert found["groups"][-1]["pnmi"] >= max(row["pnmi"] for row in found["groups"][:-1])
    assert found["languages"]["names"] == ["es", "it"]
    assert {row["snr"] for row in found["noise"]} == {20.0, 10.0, 0.0}
    assert (found["cuts"], {row["phone"] for row in found["phones"]}) == (6, set("aeio"))
    assert AnalysisDir(out).heat_maps.read_bytes().startswith(b"\x89PNG")
    assert tables[0].columns[:2] == ("group", "PNMI %")
    assert [row[1] for row in tables[0].rows] == [100 * row["pnmi"] for row in found["groups"]]
    # again: nothing but what was found
    before = AnalysisDir(out).analysis.stat().st_mtime_ns
    assert said(trained["contrastive"], cuts, out, alignment_from=[trained["recognizer"]]) == (
        [f"{out} is made from these inputs; nothing to do"],
        tables,
    )
    assert AnalysisDir(out).analysis.stat().st_mtime_ns == before
    notes, _ = said(trained["contrastive"], cuts[:1], out, alignment_from=[trained["recognizer"]])
    assert any(note.startswith(f"{out} is made anew: inputs ") for note in notes)


def test_the_same_phones_in_another_voice(
    corpus: Any, trained: dict[str, Path], tmp_path: Path, tones: Any
) -> None:
    path = tones(tmp_path / "cv-es_cuts_two.jsonl.gz", ["a e i", "a e i", "o a"])
    cuts = list(CutSet.from_file(path))
    for cut, speaker in zip(cuts, "xyz", strict=True):
        cut.supervisions[0].speaker = speaker
    CutSet.from_cuts(cuts).to_file(tmp_path / "spoken_cuts_two.jsonl")
    voices = [tmp_path / "spoken_cuts_two.jsonl"]
    said(trained["contrastive"], voices, tmp_path / "out", alignment_from=[trained["recognizer"]])
    found = json.loads(AnalysisDir(tmp_path / "out").analysis.read_text())
    assert [row["group"] for row in found["voices"]] == [0, 1, 2, "all"]
    # of two texts by three voices one is said twice: its three phones, as many frames as the longer has
    assert 15 <= found["voices"][0]["frames"] <= 27
    # one tone is as another but for hiss
    assert found["voices"][0]["equal"] > found["voices"][0]["chance"]


def test_what_cannot_be_analysed_is_one_line_and_writes_nothing(
    corpus: Any, trained: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for exp in ("ctc", "recognizer"):
        with pytest.raises(ValueError, match=r"best has no codebook: it is a fine-tuned model, or was"):
            said(trained[exp], [corpus.dev], out)
    with pytest.raises(ValueError, match=r"trained without CTC \(objective.alpha 0\).*--alignment-from EXP"):
        said(trained["contrastive"], [corpus.dev], out)
    known = {"alignment_from": [trained["recognizer"]]}
    with pytest.raises(ValueError, match="no cut has units; run phonemize on them"):
        said(trained["contrastive"], [corpus.unlabelled], out, **known)
    with pytest.raises(ValueError, match="is in another manifest as well"):
        said(trained["contrastive"], [corpus.dev, corpus.dev], out, **known)
    assert not out.exists()
    out.mkdir()
    (out / "mine").touch()
    with pytest.raises(ValueError, match="exists and was not made by analyze; choose another --out"):
        said(trained["contrastive"], [corpus.dev], out, **known)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_aligner_that_knows_nothing_is_told(corpus: Any, trained: dict[str, Path], tmp_path: Path) -> None:
    notes, _ = said(trained["contrastive"], [corpus.dev], tmp_path / "out", alignment_from=[trained["ctc"]])
    assert any(note.startswith("warning: it hardly knows these phones: --alignment-from") for note in notes)


def test_each_cut_is_aligned_by_the_first_who_knows_its_phones(
    corpus: Any, trained: dict[str, Path], minute: list[str], tmp_path: Path, tones: Any
) -> None:
    vowels = LangDir(tmp_path / "vowels")
    TokenTable(("<blk>", "a", "e", "i")).write(vowels.tokens)
    few, dev = [*minute, "run.updates=1"], tones(tmp_path / "cv-es_cuts_dev.jsonl.gz", ["a e i", "e a"])
    list(finetune(tmp_path / "exp", vowels.root, FinetuneInputs([dev], [dev]), overrides=few))
    strange = tones(tmp_path / "cv-it_cuts_dev.jsonl.gz", ["a e"], language="it")
    cuts = [cut.to_dict() for cut in CutSet.from_file(strange)]
    cuts[0]["supervisions"][0]["custom"]["phones"] = "a y ø"
    CutSet.from_dicts(cuts).to_file(tmp_path / "strange_cuts_dev.jsonl")
    notes, _ = said(
        trained["contrastive"],
        [corpus.dev, tmp_path / "strange_cuts_dev.jsonl"],
        tmp_path / "out",
        alignment_from=[tmp_path / "exp", trained["recognizer"]],
    )
    by = json.loads(AnalysisDir(tmp_path / "out").analysis.read_text())["alignment"]
    # of four Spanish cuts two are without o
    assert [(part["checkpoint"], part["cuts"]) for part in by] == [
        (str(tmp_path / "exp" / "best"), 2),
        (str(trained["recognizer"] / "best"), 2),
    ]
    assert notes[-1] == (
        "warning: 1 cuts left out: no --alignment-from knows all of their units; of cv-it_cuts_dev-0 not y ø"
    )


def test_an_imported_encoder_has_no_head_and_the_same_codes(
    corpus: Any, trained: dict[str, Path], tmp_path: Path
) -> None:
    place, found = find(trained["contrastive"]), []
    weights = {name: value for name, value in read_weights(place).items() if not name.startswith("head.")}
    identity = Identity(place.settings.read_text(), TokenTable(("<blk>",)))
    save_imported(CheckpointDir(tmp_path / "imported"), weights, identity, "{}")
    for exp in (place.root, tmp_path / "imported"):
        said(exp, [corpus.dev], tmp_path / "out", alignment_from=[trained["recognizer"]])
        found.append(json.loads(AnalysisDir(tmp_path / "out").analysis.read_text()))
    assert found[0]["options"]["checkpoint"] != found[1]["options"]["checkpoint"]
    assert found[0]["groups"] == found[1]["groups"]
