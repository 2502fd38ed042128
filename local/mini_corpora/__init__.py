"""Mini corpora: small synthetic speech corpora in the layouts of CommonVoice, LibriSpeech and TED-LIUM 3."""
