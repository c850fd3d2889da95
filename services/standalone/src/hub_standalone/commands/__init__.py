"""The commands of ``hub``, one module per subject."""
