"""Due runs put into the queue, each fire time once."""
