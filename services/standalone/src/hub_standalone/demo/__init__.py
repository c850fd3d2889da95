"""A simulated college, and the demonstration that connects it to the hub and checks what arrived."""
