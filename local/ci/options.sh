# Options of a recipe, for `--config`: minutes of speech and a minute model, to see that all stages run.
mini=true conf=local/ci/conf jobs=2
hours=0.01 dev_minutes=0.2 test_minutes=0.3 lm_utterances=300
scales=0.2,0.6 decode_config=local/ci/decode.yaml
librispeech="--config local/ci/options.sh --target 0.5min"
