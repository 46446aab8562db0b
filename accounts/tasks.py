"""What `accounts` does by the clock: webhooks are called every few seconds, one task each, so that a slow receiver holds up
no other; what is old is forgotten at night."""

from celery import shared_task

from accounts import outbox, sessions


@shared_task(name="accounts.tasks.deliver_due_webhooks", ignore_result=True)  # type: ignore[untyped-decorator]
def deliver_due_webhooks() -> int:
    """Queue a task for each delivery that is due."""
    return sum(deliver_webhook.delay(pk) is not None for pk in outbox.claim())


@shared_task(name="accounts.tasks.deliver_webhook", ignore_result=True)  # type: ignore[untyped-decorator]
def deliver_webhook(pk: int) -> bool:
    """Make one attempt."""
    return outbox.deliver(pk)


@shared_task(name="accounts.tasks.forget_old_webhooks")  # type: ignore[untyped-decorator]
def forget_old_webhooks() -> int:
    """Delete what is a month old."""
    return outbox.forget_old()


@shared_task(name="accounts.tasks.forget_ended_sessions", ignore_result=True)  # type: ignore[untyped-decorator]
def forget_ended_sessions() -> None:
    """Delete sessions that are over: of people who did not sign out, and of those who never signed in."""
    sessions.forget_ended()
