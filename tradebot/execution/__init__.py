"""What carries an engine's commands to a venue, once in effect, and brings back what became of them."""
