"""What each verb of a menu does, by noun. A public method is a verb of the same name."""
