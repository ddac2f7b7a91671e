"""What operators owe each other through us: gathered, netted in windows, squared on a rail."""
