"""A write goes out once, whatever happens to it. (Hazard 33)"""

from http import HTTPStatus

import pytest

from gateway.echo import Reach


def sent(gateway: Reach) -> list[str]:
    return [*gateway.services["catalog"].seen, *gateway.services["catalog-2"].seen]


@pytest.fixture
def both_hang_up(gateway: Reach) -> None:
    for name in ("catalog", "catalog-2"):
        gateway.services[name].hangs_up = True


@pytest.mark.usefixtures("both_hang_up")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_write_whose_answer_was_lost_is_not_sent_again(gateway: Reach, method: str) -> None:
    answer = gateway("/api/v1/products/1", method, "Content-Length: 2", body="{}")

    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert sent(gateway) == [f"{method} /api/v1/products/1"]


@pytest.mark.usefixtures("both_hang_up")
def test_a_read_is_tried_at_the_other_replica(gateway: Reach) -> None:
    answer = gateway("/api/v1/products/1")

    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert sent(gateway) == ["GET /api/v1/products/1"] * 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_write_is_not_sent_again_when_a_kept_connection_drops_under_it(gateway: Reach, method: str) -> None:
    for _ in range(8):
        gateway("/api/v1/products/1", method, "Content-Length: 2", body="{}")
    for name in ("catalog", "catalog-2"):
        gateway.services[name].seen.clear()
        gateway.services[name].hangs_up = True

    gateway("/api/v1/products/1", method, "Content-Length: 2", body="{}")

    assert len(sent(gateway)) == 1
