"""Static files under hashed names, with the imports between ES modules rewritten too."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # whitenoise has no types
    """The chart is two modules, one importing the other: without aggregation that import breaks under hashed names."""

    support_js_module_import_aggregation = True
    manifest_strict = False
