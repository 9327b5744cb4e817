"""What the demo plays holds, as far as a busy machine can tell: here nothing takes too long."""

from harness.size import STEP_SECONDS, at_size
from local.demo.scenes import scenes
from local.demo.shop import Shop
from local.demo.verdicts import judge


async def test_every_scene_of_the_demo_holds(shop: Shop) -> None:
    verdicts = [await judge(scene, shop) for scene in scenes(STEP_SECONDS, burst_size=at_size(200, 1000))]

    assert [verdict for verdict in verdicts if not verdict.holds] == []
