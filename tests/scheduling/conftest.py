"""Properties are not races: on a busy machine a single example may take its time."""

from hypothesis import settings

settings.register_profile("homeport", deadline=None)
settings.load_profile("homeport")
