"""Zamtel Money: `adapter` asks and reads the end from the same answer. Facts: `zamtel.md`."""

from providers.zamtel.adapter import NAME, PATIENT, ZAMBIA, Zamtel, ZamtelSettings

__all__ = ["NAME", "PATIENT", "ZAMBIA", "Zamtel", "ZamtelSettings"]
