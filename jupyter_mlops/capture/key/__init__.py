"""What a step's result can depend on, and the key that is made of it."""
