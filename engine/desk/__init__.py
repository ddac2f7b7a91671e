"""What people decide: proposals that need a second person, and cases."""
