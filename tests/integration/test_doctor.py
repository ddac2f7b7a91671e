"""`capp doctor` against real servers and the gateway's sandbox."""

from channels.doctor import examine
from channels.settings import read_settings
from simulator.operators import credentials
from simulator.sandbox import Sandboxes, SandboxesSettings
from tests.integration.world import ENVIRONMENT


async def test_doctor_says_what_is_well_and_what_is_not(database_url: str, redis_url: str) -> None:
    async with Sandboxes.start(SandboxesSettings()) as sandboxes:
        environment = {
            **ENVIRONMENT,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "CAPP_OPERATORS": "mtn_ug",
            "CAPP_AFRICASTALKING_BASE_URL": sandboxes.gateway_url,
            "CAPP_AFRICASTALKING_USERNAME": credentials.GATEWAY_SANDBOX_USERNAME,
            "CAPP_AFRICASTALKING_API_KEY": credentials.GATEWAY_SANDBOX_API_KEY,
        }
        said: list[str] = []
        well = await examine(read_settings(environment), said.append)
        assert not well
        by_name = {line.split(":")[0][6:]: line for line in said}
        assert by_name["operators"].startswith("FAULT")
        assert "CAPP_MTN_UG_API_KEY" in by_name["operators"]
        for name in ("menus", "USSD gateways", "database", "redis", "SMS gateway"):
            assert by_name[name].startswith("ok"), by_name[name]
        assert "SDK KES" in by_name["SMS gateway"]

        wrong = {
            **environment,
            "CAPP_AFRICASTALKING_API_KEY": "wrong",
            "REDIS_URL": "redis://127.0.0.1:1",
            "CAPP_USSD_GATEWAYS": "hubtel,nobody",
        }
        said.clear()
        assert not await examine(read_settings(wrong), said.append)
        faults = {line.split(":")[0][6:] for line in said if line.startswith("FAULT")}
        assert faults == {"operators", "USSD gateways", "redis", "SMS gateway"}
        assert not any("wrong" in line for line in said)
