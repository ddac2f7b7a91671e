"""What phones send us by SMS: understood, answered once, never believed about a PIN."""
