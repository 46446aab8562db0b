"""Static files under hashed names, with the imports between ES modules rewritten too."""

import re
from collections.abc import Callable, Mapping

from whitenoise.storage import CompressedManifestStaticFilesStorage

Convert = Callable[["re.Match[str]"], str]


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # whitenoise has no types
    """The chart is two modules, one importing the other: without aggregation that import breaks under hashed names."""

    support_js_module_import_aggregation = True
    manifest_strict = False

    def url_converter(self, name: str, hashed_files: Mapping[str, str], template: str | None = None) -> Convert:
        """Rewrite references, but leave django_htmx's alone: its comments name types in files that it does not ship."""
        convert: Convert = super().url_converter(name, hashed_files, template)
        return (lambda match: match[0]) if name.startswith("django_htmx/") else convert

    def stored_name(self, name: str) -> str:
        """Return the hashed name, or the plain one before `collectstatic` has run, as in tests."""
        return str(super().stored_name(name)) if self.hashed_files else name
