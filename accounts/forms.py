"""What a request to the API may write. A field that nobody declared is refused by name, and so never assigned by accident."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request


class Form(serializers.Serializer[Any]):
    """The fields of one operation; each operation adds its own."""

    @classmethod
    def of(cls, request: Request) -> dict[str, Any]:
        """Return the checked fields. Raise ValidationError for a bad or an unknown one."""
        data: Any = request.data
        form = cls(data=data)
        unknown = (
            {name: ["There is no such field to write."] for name in data if name not in form.fields}
            if isinstance(data, dict)
            else {}
        )
        if unknown:
            raise serializers.ValidationError(unknown)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)
