"""The study beside its recipe: which cells there are, how long they take, and what came of them."""
