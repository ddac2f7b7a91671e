"""What an adapter is told to call a sandbox of ours."""

from typing import Any

from providers.mpesa import MpesaSettings
from simulator.operators import credentials
from simulator.sandbox import Sandboxes


def mpesa_settings(sandboxes: Sandboxes, **changes: Any) -> MpesaSettings:
    return MpesaSettings(
        base_url=sandboxes.mpesa_url,
        consumer_key=credentials.MPESA_SANDBOX_CONSUMER_KEY,
        consumer_secret=credentials.MPESA_SANDBOX_CONSUMER_SECRET,
        shortcode=credentials.MPESA_SANDBOX_SHORTCODE,
        passkey=credentials.MPESA_SANDBOX_PASSKEY,
        b2c_shortcode=credentials.MPESA_SANDBOX_B2C_SHORTCODE,
        initiator=credentials.MPESA_SANDBOX_INITIATOR_NAME,
        initiator_password=credentials.MPESA_SANDBOX_INITIATOR_PASSWORD,
        certificate_pem=sandboxes.mpesa.initiator.certificate_pem(),
        **changes,
    )
