"""UniSpeech: speech recognition for languages with little labelled speech."""

import os

from unispeech_cli.processor import ask_for_fastest_kernels

__version__ = "0.1.0"

# before torch multiplies anything, whichever way one comes in
ask_for_fastest_kernels(os.environ)
