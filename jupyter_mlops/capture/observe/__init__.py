"""What a step does while it runs: to files, the network, threads, and the screen."""
