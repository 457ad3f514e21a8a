"""A graph becomes LLVM text: what is needed where, in which order, and where all state is kept."""
