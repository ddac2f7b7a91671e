"""Thousands of phones at once: real journeys at a set rate, every wrong answer kept."""
