"""Safaricom M-PESA (Daraja): `adapter` asks, `answers` and `callbacks` read. Facts: `mpesa.md`."""

from providers.mpesa.adapter import Mpesa
from providers.mpesa.api import security_credential
from providers.mpesa.settings import MpesaSettings

__all__ = ["Mpesa", "MpesaSettings", "security_credential"]
