"""The least that Django REST framework needs, for the view that does nothing."""

import os

ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "benchmarks.bare"
SECRET_KEY = os.environ.get("SECRET_KEY", "")
INSTALLED_APPS = ["rest_framework"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": list[str](),
    "DEFAULT_PERMISSION_CLASSES": list[str](),
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
}
