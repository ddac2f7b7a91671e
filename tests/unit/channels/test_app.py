import pytest

from channels.app import build_app
from channels.settings import BadSettings, read_settings
from tests.unit.channels.test_settings import GOOD


def test_gateway_nobody_knows_is_refused_before_anything_is_opened() -> None:
    settings = read_settings({**GOOD, "CAPP_USSD_GATEWAYS": "hubtel,nobody"})
    with pytest.raises(BadSettings, match="CAPP_USSD_GATEWAYS: no such gateway: 'nobody'"):
        build_app(settings)
    assert build_app(read_settings({**GOOD, "CAPP_USSD_GATEWAYS": "hubtel,mtn_ussd"}))
