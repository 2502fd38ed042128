# Options of the study, for `--config`: three systems, one seed, minutes of speech and a minute model.
plan=local/ci/study/plan.yaml conf=local/ci/study/conf
hours=0.02 dev_minutes=0.2 test_minutes=0.3
