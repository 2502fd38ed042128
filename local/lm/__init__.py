"""n-gram language models for the recipes, where KenLM's lmplz is not at hand."""
