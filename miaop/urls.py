"""The paths of the offline-task API (E2–E6) and of our extensions, each with or without a slash at the end (R1.2)."""

from django.urls import re_path

from miaop.views import reading, submitting

app_name = "miaop"
TASK = r"^api/tasks?/(?P<task_id>[^/]+)"
MEETING = r"^api/meetings/(?P<meeting>[^/]+)"
urlpatterns = [
    re_path(r"^hrec/?$", submitting.hrec, name="hrec"),
    re_path(r"^api/tasks?/?$", reading.tasks, name="tasks"),
    re_path(TASK + r"/?$", reading.task, name="task"),
    re_path(TASK + r"/archive/?$", submitting.archive, name="archive"),
    re_path(TASK + r"/unarchive/?$", submitting.unarchive, name="unarchive"),
    re_path(MEETING + r"/?$", reading.meeting, name="meeting"),
    re_path(MEETING + r"/summary/?$", reading.summary, name="summary"),
    re_path(r"^api/stt/(?P<meeting>[^/]+)/(?P<version>[^/]+)/?$", reading.transcript, name="transcript"),
]
