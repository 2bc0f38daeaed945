"""What a network looks at: attention maps and guided gradients, without changing the network."""
