"""What runs by the clock is on one page, with how it went."""

import pytest
from celery.schedules import crontab
from django.conf import settings
from django_celery_results.models import TaskResult

from billingsite.celery import app
from billingsite.schedules import when_words
from tests.cast import a_customer, a_member, an_operator, signed_in

pytestmark = pytest.mark.django_db


def test_every_entry_is_there_with_its_last_result() -> None:
    TaskResult.objects.create(task_id="1", task_name="usage.tasks.tend_samples", status="FAILURE", result="the disk is full")
    TaskResult.objects.create(task_id="2", task_name="usage.tasks.sum_days", status="FAILURE")
    TaskResult.objects.create(task_id="3", task_name="usage.tasks.sum_days", status="SUCCESS", result='"7 transactions"')

    page = signed_in(an_operator()).get("/admin/schedules/")

    shown = {entry.task: entry for entry in page.context["entries"]}
    assert len(shown) == len(settings.CELERY_BEAT_SCHEDULE)
    assert [shown[f"usage.tasks.{name}"].last.status for name in ("tend_samples", "sum_days")] == ["FAILURE", "SUCCESS"]
    assert shown["usage.tasks.tend_samples"].when == "each day at 03:20 UTC"
    assert shown["usage.tasks.sum_days"].does == "Sum the days that are over, and those that late usage has changed."
    assert "the disk is full" in page.content.decode()


def test_a_member_does_not_see_it() -> None:
    answer = signed_in(a_member(a_customer())).get("/admin/schedules/")

    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (crontab(), "every minute"),
        (crontab(minute="*/10"), "every 10 minutes"),
        (crontab(minute="5"), "each hour at :05"),
        (crontab(hour="3", minute="20"), "each day at 03:20 UTC"),
        (5.0, "every 5 seconds"),
    ],
)
def test_when_it_runs_is_said_in_words(schedule: crontab | float, words: str) -> None:
    assert when_words(schedule) == words


def test_each_task_waits_in_the_queue_of_the_role_that_may_do_it_and_one_worker_takes_all() -> None:
    def queue_of(task: str) -> str:
        return str(app.amqp.router.route({}, task)["queue"].name)

    names = [
        "usage.tasks.sum_days",
        "usage.tasks.tend_samples",
        "accounts.tasks.forget_ended_sessions",
        "invoices.tasks.close_customer",
        "accounts.tasks.deliver_webhook",
    ]

    assert [queue_of(name) for name in names] == ["usage", "owner", "owner", "celery", "celery"]
    assert set(app.amqp.queues.consume_from) == {"celery", "usage", "owner"}
