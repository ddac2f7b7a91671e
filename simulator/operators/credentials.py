"""The credentials the sandboxes accept unless told otherwise; none of them opens anything real.

The M-PESA shortcode and passkey are the public ones of Safaricom's own sandbox (portal test
credentials); every other value was invented for this project.
"""

MPESA_SANDBOX_CONSUMER_KEY = "sandbox-consumer-key"
MPESA_SANDBOX_CONSUMER_SECRET = "sandbox-consumer-secret"  # noqa: S105 - opens the sandbox only
MPESA_SANDBOX_SHORTCODE = "174379"
MPESA_SANDBOX_PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
MPESA_SANDBOX_B2C_SHORTCODE = "600984"
MPESA_SANDBOX_INITIATOR_NAME = "testapi"
MPESA_SANDBOX_INITIATOR_PASSWORD = "Sandbox-initiator#1"  # noqa: S105 - opens the sandbox only

MTN_SANDBOX_API_USER = "5f0c0b52-6a3e-4c1b-9a53-0d1c8a7e4b10"
MTN_SANDBOX_API_KEY = "0123456789abcdef0123456789abcdef"
MTN_SANDBOX_COLLECTION_SUBSCRIPTION_KEY = "c0113c7105ub5c71p7105ub5c71p7100"
MTN_SANDBOX_DISBURSEMENT_SUBSCRIPTION_KEY = "d15bu75e3e45ub5c71p7105ub5c71p71"

OPENEXCHANGERATES_SANDBOX_APP_ID = "5a4dbc00000000000000000000000000"

GATEWAY_SANDBOX_USERNAME = "sandbox"
GATEWAY_SANDBOX_API_KEY = "atsk_sandbox_0000000000000000000000000000000000000000"
