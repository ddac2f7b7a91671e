"""Safaricom M-PESA (Daraja): `adapter` asks, `answers` and `callbacks` read. Facts: `mpesa.md`."""

from providers.mpesa.adapter import Mpesa, MpesaSettings, security_credential

__all__ = ["Mpesa", "MpesaSettings", "security_credential"]
